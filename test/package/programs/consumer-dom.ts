// What the types say where DOM or Node's types are there: the platform's own signals, modules, memories and `using`.

import { PagePool, type PoolShare, type WaitOptions } from 'pagepool';
import { lines, Packet, packets } from 'pagepool/packet';

export async function use(module: WebAssembly.Module, signal: AbortSignal): Promise<void> {
  const wait: WaitOptions = { signal };
  await using pool = await PagePool.create({ module });
  using fragment = await pool.takeAsync(100, wait);
  using packet = new Packet().append(fragment.retain());
  for await (using line of lines(packets(pool.channel('work')))) packet.append(line);
  const share: PoolShare = pool.share();
  const compiled: WebAssembly.Module | undefined = share.module;
  const memory: WebAssembly.Memory | SharedArrayBuffer = share.memory;
  fragment.bytes.fill(compiled === module && 'buffer' in memory ? 1 : 0);
  // @ts-expect-error a signal is more than a flag
  await pool.takeAsync(100, { signal: { aborted: false } });
}
