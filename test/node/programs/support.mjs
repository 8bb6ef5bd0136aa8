// What the programs of this folder share: pools of which nothing may be out, and bytes to look at.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PagePool } from 'pagepool';

/** Releases what comes. */
export const release = (fragment) => fragment.release();

/** What a promise comes to: its value, or its error's code. */
export const told = (promise) =>
  Promise.resolve(promise).then(
    (value) => value,
    (error) => error.code ?? error.message,
  );

/** Runs with a pool; afterwards every page must be home. */
export async function withPool(options, use) {
  const pool = await PagePool.create({ pageBytes: 4096, pageCount: 32, ...options });
  try {
    return await use(pool);
  } finally {
    const { references, balanced } = pool.audit();
    assert.deepEqual([references.ledgers, balanced], [0, true], 'pages are missing');
  }
}

/** A fragment with these bytes. */
export function fragmentOf(pool, bytes) {
  const fragment = pool.take(bytes.length);
  fragment.bytes.set(bytes);
  return fragment;
}

/** Listens on a free port of this machine; the port. */
export async function listen(server) {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server.address().port;
}

/** A folder for the program, removed when it exits. */
export function folder() {
  const path = mkdtempSync(join(tmpdir(), 'pagepool-'));
  process.on('exit', () => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** A key and a certificate for `localhost`, made on the fly. */
export function selfSigned() {
  const at = folder();
  const [key, cert] = [join(at, 'key.pem'), join(at, 'cert.pem')];
  const request = 'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost';
  const subject = ['-addext', 'subjectAltName=DNS:localhost', '-keyout', key, '-out', cert];
  execFileSync('openssl', [...request.split(' '), ...subject], { stdio: 'ignore' });
  return { key: readFileSync(key), cert: readFileSync(cert) };
}

/** Waits until it is closed, whatever its errors. */
export const closed = (emitter) => new Promise((resolve) => emitter.once('close', resolve));

/** Says that everything was right, and ends whatever is still open. */
export function done(found, right) {
  assert.deepEqual(found, right);
  process.stdout.write('ok\n', () => process.exit());
}
