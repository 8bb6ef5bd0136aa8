// How many addresses the process may still take, where the system limits them (`ulimit -v`) and shows the limit: Linux.
//
// A platform that refuses a buffer has often nothing left for itself either: V8 ends the process when it cannot commit
// what its next collection needs. So who takes buffers until one is refused asks here before. Asked where a buffer is
// taken, tens of microseconds; elsewhere than on Linux, and where files may not be read, nothing is known.

/** What is left to the platform for its own heap and threads. */
export const RESERVED_BYTES: number = 512 * 1024 * 1024;

/** What V8 reserves for a shared Wasm memory, whatever its size: 8 GiB, and guards around them. */
export const WASM_ADDRESS_BYTES: number = 10 * 2 ** 30;

const PAGE_BYTES = 4096;

interface Files {
  readFileSync(path: string, encoding: 'latin1'): string;
}

let limit: number | undefined;

/** Bytes of addresses that can be taken beside those reserved for the platform; Infinity where that is not known. */
export function spareAddresses(): number {
  try {
    const host = globalThis as { process?: { platform?: string; getBuiltinModule?: (name: string) => unknown } };
    if (host.process?.platform !== 'linux') return Infinity;
    const files = host.process.getBuiltinModule?.('node:fs') as Files | undefined;
    if (files === undefined) return Infinity;
    limit ??= limitOf(files.readFileSync('/proc/self/limits', 'latin1'));
    if (limit === Infinity) return Infinity;
    const [pages = '0'] = files.readFileSync('/proc/self/statm', 'latin1').split(' ');
    return limit - Number(pages) * PAGE_BYTES - RESERVED_BYTES;
  } catch {
    return Infinity;
  }
}

/** For messages, where the system limits addresses: which limit it is, and what is left. */
export function addressLimit(): string {
  const left = spareAddresses();
  return left === Infinity ? '' : `, or allow more addresses: ulimit -v leaves ${Math.max(0, left)} bytes`;
}

/** The soft limit, as the table of limits has it. */
function limitOf(table: string): number {
  const bytes = /^Max address space\s+(\d+)/m.exec(table)?.[1];
  return bytes === undefined ? Infinity : Number(bytes);
}
