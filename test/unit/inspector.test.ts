// The inspector's server: who gets in, what is served, what bad clients do to it, and what it says of a pool that ends.

import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { type MemoryProvider, PagePool } from 'pagepool';
import { type Inspector, serveInspector } from 'pagepool/inspector';
import { slabs } from 'pagepool/providers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Clients } from '../../src/inspector/open-metrics.js';
import { Unpacker } from '../../src/inspector/page/recorder.js';
import { InspectorServer } from '../../src/inspector/server.js';
import type { Frame, Look } from '../../src/inspector/wire.js';
import { codeOf } from '../support/realm.js';
import { orHung, until } from '../support/waiting.js';

const CLIENTS_MAX = 16;

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly text: string;
}

/** One request with exactly these headers; a path is sent as it is. */
async function ask(
  { port, token }: Inspector,
  path: string,
  headers: Record<string, string> = { Authorization: `Bearer ${token}` },
  method = 'GET',
): Promise<Answer> {
  const sent = request({ host: '127.0.0.1', port, path, method, headers, agent: false });
  sent.end();
  const [response] = (await orHung(once(sent, 'response'), path)) as [IncomingMessage];
  const text = await orHung(
    response.setEncoding('utf8').reduce((all: string, part: string) => all + part, ''),
    path,
  );
  return { status: response.statusCode ?? 0, headers: response.headers, text };
}

/** A client that reads frames, and what it has of them. */
function listen(inspector: Inspector) {
  const looks: Look[] = [];
  const unpacker = new Unpacker();
  const controller = new AbortController();
  const heard = { looks, isEnded: false, isLost: false, stop: () => controller.abort() };
  const read = async (): Promise<void> => {
    const url = new URL('/events', inspector.url);
    const headers = { Authorization: `Bearer ${inspector.token}` };
    const { body } = await fetch(url, { headers, signal: controller.signal });
    let text = '';
    const decoder = new TextDecoder();
    for await (const chunk of body as ReadableStream<Uint8Array>) {
      text += decoder.decode(chunk, { stream: true });
      const events = text.split('\n\n');
      text = events.pop() as string;
      for (const event of events) {
        if (event.startsWith('data: ')) looks.push(unpacker.next(JSON.parse(event.slice(6)) as Frame));
        else if (event.startsWith('event: end')) heard.isEnded = true;
      }
    }
  };
  read()
    .catch(() => {})
    .finally(() => {
      heard.isLost = true;
    });
  return heard;
}

const create = (name: string) => PagePool.createSync({ name, pageCount: 64, channels: { work: { capacity: 16 } } });

describe('who gets in', () => {
  let pool: PagePool;
  let inspector: Inspector;
  beforeAll(async () => {
    pool = create('guarded');
    inspector = await serveInspector(pool);
  });
  afterAll(async () => {
    await inspector.close();
    await pool.close();
  });

  it('the address lets in and leaves a cookie, which lets in; so does a header', async () => {
    const { port, token, url } = inspector;
    expect(url).toBe(`http://127.0.0.1:${port}/?token=${token}`);
    const first = await ask(inspector, `/?token=${token}`, {});
    expect(first.status).toBe(200);
    expect(first.headers['content-type']).toBe('text/html; charset=utf-8');
    expect(first.text).toContain('<script type="module" src="/page.js">');
    const [cookie = ''] = first.headers['set-cookie'] ?? [];
    expect(cookie).toBe(`pagepool-inspector-${port}=${token}; HttpOnly; SameSite=Strict; Path=/`);
    for (const path of ['/', '/page.js', '/page.css', '/snapshot.json', '/metrics']) {
      const { headers, status } = await ask(inspector, path, { Cookie: `other=1; ${cookie.split(';')[0]}` });
      expect([path, status, headers['set-cookie']]).toEqual([path, 200, undefined]);
      expect(headers['content-security-policy']).toMatch(/^default-src 'none'; script-src 'self';/);
      expect((await ask(inspector, path)).status, path).toBe(200);
    }
  });

  it('nobody without the token', async () => {
    const { port, token } = inspector;
    const wrong = 'A'.repeat(token.length);
    const attempts: Record<string, string>[] = [
      {},
      { Authorization: `Bearer ${wrong}` },
      { Authorization: `Basic ${token}` },
      { Authorization: `Bearer ${token}x` },
      { Cookie: `pagepool-inspector-${port + 1}=${token}` },
      { Cookie: `pagepool-inspector-${port}=` },
    ];
    for (const path of ['/', '/page.js', '/events', '/snapshot.json', '/metrics', '/nothing']) {
      for (const headers of attempts) expect((await ask(inspector, path, headers)).status, path).toBe(401);
      expect((await ask(inspector, `${path}?token=${wrong}`, {})).status).toBe(401);
    }
  });

  it('no page of another origin, and no name that was made to point here', async () => {
    const { port, token } = inspector;
    const Authorization = `Bearer ${token}`;
    const status = async (headers: Record<string, string>) =>
      (await ask(inspector, '/snapshot.json', { Authorization, ...headers })).status;
    for (const Host of [
      'evil.example',
      `evil.example:${port}`,
      'localhost.evil.example',
      '127.0.0.1.evil.example',
      '10.0.0.1',
    ]) {
      expect(await status({ Host }), Host).toBe(403);
    }
    for (const Host of ['localhost', `localhost:${port}`, `127.0.0.1:${port}`, `[::1]:${port}`, 'LOCALHOST:9']) {
      expect(await status({ Host }), Host).toBe(200);
    }
    const Host = `127.0.0.1:${port}`;
    for (const Origin of ['http://evil.example', 'null', `http://127.0.0.1:${port + 1}`, `https://127.0.0.1:${port}`]) {
      expect(await status({ Host, Origin }), Origin).toBe(403);
    }
    expect(await status({ Host, Origin: `http://${Host}` })).toBe(200);
    expect(await status({ 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'cors' })).toBe(403);
    expect(await status({ 'Sec-Fetch-Site': 'same-site', 'Sec-Fetch-Mode': 'no-cors' })).toBe(403);
    expect(await status({ 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'navigate' })).toBe(200);
    expect(await status({ 'Sec-Fetch-Site': 'same-origin', 'Sec-Fetch-Mode': 'cors' })).toBe(200);
  });

  it('a path that climbs, or that is none, is not there', async () => {
    for (const path of [
      '/../package.json',
      '/%2e%2e/package.json',
      '/..%2fpackage.json',
      '//etc/passwd',
      '/page.js/..%2f..',
      '/__proto__',
      '/constructor',
    ]) {
      expect((await ask(inspector, path)).status, path).toBe(404);
    }
    expect((await ask(inspector, '/snapshot.json', undefined, 'POST')).status).toBe(405);
    expect(await ask(inspector, '/page.js', undefined, 'HEAD')).toMatchObject({ status: 200, text: '' });
  });

  it('what is no HTTP, or too much of it, is refused', async () => {
    for (const text of [
      'GET / HTTP/1.1\r\n\r\n',
      'nonsense\r\n\r\n',
      `GET / HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`,
    ]) {
      const socket = connect(inspector.port, '127.0.0.1');
      socket.on('error', () => {});
      socket.write(text);
      const [data] = (await orHung(once(socket, 'data'), text.slice(0, 30))) as [Buffer];
      expect(data.toString()).toMatch(/^HTTP\/1\.1 (?:400|403|431) /);
      socket.destroy();
    }
    expect((await ask(inspector, '/snapshot.json')).status).toBe(200);
  });

  it('an address of a proxy is refused, and the next one is answered', async () => {
    const socket = connect(inspector.port, '127.0.0.1');
    socket.write(`GET http://localhost/ HTTP/1.1\r\nHost: localhost:${inspector.port}\r\n\r\n`);
    const [data] = (await orHung(once(socket, 'data'), 'a proxy')) as [Buffer];
    expect(data.toString()).toMatch(/^HTTP\/1\.1 400 .*the address cannot be read/s);
    socket.destroy();
    expect((await ask(inspector, '/snapshot.json')).status).toBe(200);
  });

  it('one client more than there may be is told to come later, and gets in when one has left', async () => {
    const clients = Array.from({ length: CLIENTS_MAX }, () => listen(inspector));
    await until(() => clients.every(({ looks }) => looks.length > 0));
    const refused = await ask(inspector, '/events');
    expect([refused.status, refused.headers['retry-after']]).toEqual([503, '5']);
    for (let i = 0; i < 200; i++) expect((await ask(inspector, '/events')).status).toBe(503);
    clients[0]?.stop();
    await until(() => clients[0]?.isLost);
    let late = listen(inspector);
    // The server hears of it a little later.
    await until(() => {
      if (late.isLost) late = listen(inspector);
      return late.looks.length > 0;
    });
    for (const { stop } of [...clients, late]) stop();
  });
});

it('a thousand clients at once: 16 get looks, the rest an answer or none, and the pool goes on', async () => {
  const pool = create('crowded');
  const inspector = await serveInspector(pool);
  const head = `GET /events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${inspector.token}\r\n\r\n`;
  const counts = { looks: 0, refused: 0, ended: 0 };
  const sockets = Array.from({ length: 1000 }, () => {
    const socket = connect(inspector.port, '127.0.0.1');
    let text = '';
    socket.on('error', () => {});
    socket.on('data', (data: Buffer) => {
      const before = text;
      text = (text + data.toString('latin1')).slice(0, 4096);
      if (!before.includes('data: ') && text.includes('data: ')) counts.looks++;
      if (before === '' && text.startsWith('HTTP/1.1 503 ')) counts.refused++;
    });
    socket.on('close', () => {
      counts.ended++;
    });
    socket.write(head);
    return socket;
  });
  await until(
    () => counts.looks === CLIENTS_MAX && counts.ended === 1000 - CLIENTS_MAX,
    () => counts,
  );
  expect(counts.refused).toBeGreaterThan(0);
  pool.release(pool.alloc());
  expect(pool.audit()).toMatchObject({ balanced: true });
  for (const socket of sockets) socket.destroy();
  await until(async () => (await ask(inspector, '/snapshot.json').catch(() => null))?.status === 200);
  await inspector.close();
  await pool.close();
});

describe('what is served', () => {
  it('what stats() says, the map, and what has changed in it', async () => {
    const pool = create('served');
    const inspector = await serveInspector(pool);
    const held = [pool.take(), pool.take(), pool.take()];
    const { looks, stop } = listen(inspector);
    await until(() => looks.length > 0);
    const check = async (isSo: (look: Look) => boolean): Promise<void> => {
      await until(() => isSo(looks.at(-1) as Look));
      const look = looks.at(-1) as Look;
      const { counters, inflight, map, name, places } = look;
      const stats = pool.stats();
      expect({ name, inflight, used: places.used }).toEqual({
        name: 'served',
        inflight: stats.inflight,
        used: stats.pages.used,
      });
      expect(counters.alloc).toEqual(stats.alloc);
      expect(map.places.length).toBe(64);
      expect([...map.places].filter((place) => place === 6).length).toBe(stats.pages.used);
    };
    await check(({ places }) => places.used === 3);
    for (const fragment of held.splice(0, 2)) fragment?.release();
    await check(({ places }) => places.used === 1);
    const { text } = await ask(inspector, '/snapshot.json');
    expect(JSON.parse(text)).toMatchObject({ name: 'served', places: { used: 1 }, map: { places: expect.any(Array) } });
    stop();
    await inspector.close();
    held[0]?.release();
    expect(pool.audit()).toMatchObject({ balanced: true });
    await pool.close();
  });

  it('stacks of what the thread holds, where it tracks that', async () => {
    const pool = PagePool.createSync({ name: 'tracked', pageCount: 16, leaks: 'all' });
    const inspector = await serveInspector(pool);
    const fragment = (function takeForTheReport() {
      return pool.take();
    })();
    const { looks, stop } = listen(inspector);
    await until(() => (looks.at(-1)?.leaks.length ?? 0) > 0);
    // From the working directory on.
    expect(looks.at(-1)?.leaks[0]?.stack).not.toContain(process.cwd());
    expect(looks.at(-1)?.leaks[0]).toMatchObject({
      page: expect.any(Number),
      stack: expect.stringContaining('takeForTheReport'),
    });
    expect(looks.at(-1)?.holders.map(({ text }) => text)).toContainEqual(
      expect.stringMatching(/^port 0 "creator" holds 1 page/),
    );
    stop();
    fragment?.release();
    await inspector.close();
    await pool.close();
  });
});

describe('what providers report of themselves', () => {
  const report = { areas: 1, note: 'by hand', big: 1n };
  const create = async (described: Record<string, unknown>) => {
    const provider: MemoryProvider = { ...parts(slabs()), describe: () => described };
    return (await PagePool.create({ name: 'described', pageCount: 8, provider, leaks: 'all' })) as PagePool;
  };
  /** A provider's calls, bound. */
  const parts = (provider: MemoryProvider): MemoryProvider =>
    Object.fromEntries(
      (['kind', 'readable', 'detachable', 'init', 'grow', 'retire', 'describe', 'destroy'] as const).map((name) => {
        const value: unknown = provider[name];
        return [name, typeof value === 'function' ? value.bind(provider) : value];
      }),
    ) as unknown as MemoryProvider;

  it('is in the looks of an inspector that has the pool, and null in those of one that has its share', async () => {
    const { big: _, ...plain } = report;
    const pool = await create(plain);
    const [own, shared] = [await serveInspector(pool), await serveInspector(pool.share())];
    const provider = async (inspector: Inspector): Promise<Look['provider']> =>
      JSON.parse((await ask(inspector, '/snapshot.json')).text).provider;
    await until(async () => (await provider(own)).description !== null);
    expect(await provider(own)).toMatchObject({ kind: 'slab', state: 'serving', description: plain, reserve: null });
    expect(await provider(shared)).toMatchObject({ kind: 'slab', state: 'serving', description: null, reserve: null });
    await own.close();
    await shared.close();
    await pool.close();
  });

  it('is null where it cannot be sent, and what the thread holds is shown all the same', async () => {
    const pool = await create(report);
    const inspector = await serveInspector(pool);
    const held = pool.take();
    const look = async (): Promise<Look> => JSON.parse((await ask(inspector, '/snapshot.json')).text);
    await until(async () => (await look()).leaks.length > 0);
    expect((await look()).provider).toMatchObject({ kind: 'slab', description: null, reserve: null });
    held?.release();
    await inspector.close();
    await pool.close();
  });
});

describe('a pool that ends, and clients that misbehave', () => {
  it('a pool that closes is told, and its last state is still to be seen', async () => {
    const pool = create('closing');
    const inspector = await serveInspector(pool);
    const page = pool.take();
    const { looks, stop } = listen(inspector);
    await until(() => looks.at(-1)?.state === 'active');
    pool.destroy();
    await until(() => looks.at(-1)?.state === 'closing');
    page?.release();
    await pool.close();
    await until(() => looks.at(-1)?.state === 'destroyed');
    expect(looks.flatMap(({ events }) => events).map(({ text }) => text)).toContain('the pool is destroyed');
    expect(looks.at(-1)?.lints).toEqual([]);
    stop();
    await inspector.close();
  });

  it('close() tells the clients and takes a second call; the pool goes on', async () => {
    const pool = create('goes on');
    const inspector = await serveInspector(pool);
    const heard = listen(inspector);
    await until(() => heard.looks.length > 0);
    await Promise.all([inspector.close(), inspector.close()]);
    await until(() => heard.isEnded && heard.isLost);
    await expect(ask(inspector, '/')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    pool.release(pool.alloc());
    await pool.close();
  });

  it('a client that does not read is dropped, and the others go on', async () => {
    const clients = new Set<(json: string) => void>();
    const watcher = {
      mapBytes: 0,
      lookAsJson: () => '{}',
      subscribe: (client: (json: string) => void) => {
        clients.add(client);
        return () => void clients.delete(client);
      },
    };
    let dropped = 0;
    const metrics = (seen: Clients): string => {
      dropped = seen.dropped;
      return '# EOF\n';
    };
    const token = 'a-token-for-the-test';
    const server = new InspectorServer({ watcher, assets: {}, token, metrics });
    const port = await server.listen(0, '127.0.0.1');
    const inspector = { port, token, url: `http://127.0.0.1:${port}/` } as Inspector;
    const open = (): Socket => {
      const socket = connect(port, '127.0.0.1');
      socket.on('error', () => {});
      socket.write(`GET /events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\n\r\n`);
      return socket;
    };
    const [unread, read] = [open(), open()];
    let bytes = 0;
    read.on('data', (data: Buffer) => {
      bytes += data.length;
    });
    unread.pause();
    await until(() => clients.size === 2);
    const json = JSON.stringify('x'.repeat(100_000));
    for (let sent = 0; clients.size === 2; ) {
      for (const client of clients) client(json);
      sent += json.length;
      await until(() => bytes >= sent); // who reads gets everything
    }
    expect(clients.size).toBe(1);
    await ask(inspector, '/metrics');
    expect([dropped, read.destroyed]).toEqual([1, false]);
    unread.destroy();
    await server.close();
  });
});

describe('bad arguments', () => {
  it.each([
    [{ port: -1 }],
    [{ port: 65_536 }],
    [{ port: '80' }],
    [{ host: '0.0.0.0' }],
    [{ host: '::' }],
    [{ host: '192.168.0.1' }],
    [{ host: '127.0.0.1.evil.example' }],
    [{ token: 'short' }],
    [{ token: 'with space and more' }],
    [{ token: 1 }],
    [{ ref: 'yes' }],
    [{ hots: 'localhost' }],
  ])('%j', async (options) => {
    const pool = create('bad');
    await expect(serveInspector(pool, options as never)).rejects.toMatchObject({ code: 'POOL_ERR_INVALID_ARGUMENT' });
    await pool.close();
  });

  it('a token that is refused is not shown', async () => {
    const pool = create('secret');
    await expect(serveInspector(pool, { token: 'hunter2' })).rejects.toThrow(/^(?!.*hunter2)/s);
    await pool.close();
  });

  it('no pool, a foreign share, an older share: the errors of attach', async () => {
    const pool = create('shares');
    const share = pool.share();
    const codes = async (source: unknown): Promise<string | undefined> =>
      serveInspector(source as never).then(
        () => 'served',
        (error) =>
          codeOf(() => {
            throw error;
          }),
      );
    expect(await codes({})).toBe('POOL_ERR_INVALID_ARGUMENT');
    expect(await codes(null)).toBe('POOL_ERR_INVALID_ARGUMENT');
    expect(await codes({ ...share, abi: 1 })).toBe('POOL_ERR_ABI_MISMATCH');
    expect(await codes({ ...share, identity: [1, 2, 3, 4] })).toBe('POOL_ERR_CORRUPT');
    expect(await codes({ ...share, memory: new SharedArrayBuffer(65_536) })).toBe('POOL_ERR_CORRUPT');
    await pool.close();
  });

  it('a port that is taken: the error of the platform', async () => {
    const pool = create('twice');
    const inspector = await serveInspector(pool);
    await expect(serveInspector(pool, { port: inspector.port })).rejects.toMatchObject({ code: 'EADDRINUSE' });
    await inspector.close();
    await pool.close();
  });
});
