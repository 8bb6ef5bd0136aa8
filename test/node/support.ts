// What the tests of sources need: a pool of which nothing may be out at the end, and servers, certificates and bytes.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Fragment, PagePool, type PoolOptions } from 'pagepool';
import { expect } from 'vitest';
import { expectAllHome } from '../support/home.js';
import { HUNG_MS } from '../support/waiting.js';

/** Runs the test with a pool; afterwards every page must be home, and the pool closes. */
export async function withPool(options: PoolOptions, test: (pool: PagePool) => Promise<void>): Promise<void> {
  const pool = await PagePool.create({ pageBytes: 4096, pageCount: 32, ...options });
  await test(pool);
  expectAllHome(pool);
  expect((await pool.close({ timeoutMs: HUNG_MS, ref: true })).isDestroyed).toBe(true);
}

/** Bytes that repeat nowhere soon. */
export function pattern(length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  for (let i = 0; i < length; i++) bytes[i] = (Math.imul(i, 0x9e3779b1) >>> 24) ^ (i >>> 13);
  return bytes;
}

/** Copies what comes and releases it. */
export class Collector {
  readonly #chunks: Buffer[] = [];
  count = 0;
  readonly take = (fragment: Fragment): void => {
    this.#chunks.push(Buffer.from(fragment.bytes));
    this.count++;
    fragment.release();
  };
  get bytes(): Buffer {
    return Buffer.concat(this.#chunks);
  }
}

/** A server on a free port of this machine, closed by `end`. */
export async function serve<S extends Server>(server: S): Promise<{ port: number; server: S; end(): Promise<void> }> {
  const open = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    open.add(socket);
    socket.on('close', () => open.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    server,
    end: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of open) socket.destroy();
      }),
  };
}

/** A server that does this with each connection. */
export function serveEach(onSocket: (socket: Socket) => void, options = {}): ReturnType<typeof serve<Server>> {
  return serve(
    createServer(options, (socket) => {
      socket.on('error', () => {});
      onSocket(socket);
    }),
  );
}

/** A key and a certificate of its own, for `localhost`. */
export function selfSigned(): { key: Buffer; cert: Buffer } {
  return inFolder((folder) => {
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
    const request = 'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost';
    const subject = ['-addext', 'subjectAltName=DNS:localhost', '-keyout', key, '-out', cert];
    execFileSync('openssl', [...request.split(' '), ...subject], { stdio: 'ignore' });
    return { key: readFileSync(key), cert: readFileSync(cert) };
  });
}

/** Runs with a folder that is removed afterwards. */
export function inFolder<T>(use: (folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'pagepool-'));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  let result: T | undefined;
  try {
    result = use(folder);
    return result;
  } finally {
    if (result instanceof Promise) result.then(remove, remove);
    else remove();
  }
}
