// Calls whose server or asker ends, in each of their states: every call settles, and every page comes home.

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { type Calls, type Fragment, PagePool } from 'pagepool';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { entryOf } from '../support/threads.js';
import { HUNG_MS, until } from '../support/waiting.js';

const program = new URL('./calls.mjs', import.meta.url);

describe.each(['wasm', 'typescript'] as const)('with the %s engine', (engine) => {
  let pool: PagePool;
  let calls: Calls;
  let workers: Worker[] = [];

  beforeEach(() => {
    pool = PagePool.createSync({ engine, pageCount: 8, maxPorts: 4, calls: { work: { capacity: 4 } } });
    calls = pool.calls('work');
    workers = [];
  });
  afterEach(async () => {
    // A server that has just answered, or detaches, may be on its way out: only a still look counts.
    let audit = pool.audit();
    const look = (isHome: () => boolean) =>
      until(() => {
        audit = pool.audit();
        return audit.exact && isHome();
      });
    await look(() => true);
    expect(audit).toMatchObject({ errors: [], balanced: true });
    // What a death left suspect is settled by that one.
    await look(() => audit.pages.used === 0);
    expect(audit).toMatchObject({ errors: [], balanced: true });
    const closed = pool.close({ timeoutMs: HUNG_MS });
    for (const worker of workers) await worker.terminate();
    expect(await closed).toMatchObject({ isDestroyed: true });
  });

  async function start(dies: 'never' | 'serving' | 'waiting'): Promise<Worker> {
    const worker = new Worker(program, { workerData: { entry: entryOf(0), share: pool.share(), engine, dies } });
    pool.watch(worker);
    workers.push(worker);
    expect((await once(worker, 'message'))[0]).toBe('ready');
    return worker;
  }
  function ask(order: number): Promise<Fragment> {
    const request = pool.take() as Fragment;
    request.bytes[0] = order;
    return calls.call(request);
  }
  async function answerOf(order: number): Promise<number> {
    const reply = await ask(order);
    const [first = 0] = reply.bytes;
    reply.release();
    return first;
  }

  it.each(['terminate', 'exit', 'detach'])('a server that ends by %s while it serves fails that call', async (how) => {
    const server = await start('serving');
    const [said, failed] = [once(server, 'message'), ask(1).catch((error) => error)];
    expect((await said)[0]).toBe('serving');
    if (how === 'terminate') await server.terminate();
    else server.postMessage(how);
    expect(await failed).toMatchObject({
      code: 'POOL_ERR_PEER_GONE',
      message: expect.stringContaining('call failed: calls="work" (expected a thread that serves them to the end)'),
    });
    expect(pool.stats().calls).toMatchObject([{ asked: 1, failed: 1, serving: 0 }]);
  });

  it('a call that no server has taken waits for the next one', async () => {
    const dead = await start('waiting');
    const answered = answerOf(5);
    await dead.terminate();
    await start('never');
    expect(await answered).toBe(6);
  });

  it('servers are killed one after the other while calls go on: each settles', async () => {
    let isOver = false;
    const ends = { answered: 0, gone: 0 };
    const asker = async (): Promise<void> => {
      while (!isOver) {
        const request = await pool.takeAsync();
        request.bytes[0] = 7;
        try {
          (await calls.call(request)).release();
          ends.answered++;
        } catch (error) {
          expect(error).toMatchObject({ code: 'POOL_ERR_PEER_GONE' });
          ends.gone++;
        }
      }
    };
    const askers = [asker(), asker(), asker()];
    for (let i = 0; i < 4; i++) {
      const server = await start('never');
      const before = ends.answered;
      await until(
        () => ends.answered > before + 20,
        () => ends.answered,
      );
      await server.terminate();
    }
    isOver = true;
    await start('never');
    await Promise.all(askers);
    const { answered, gone: failed } = ends;
    expect(pool.stats().calls).toMatchObject([{ asked: answered + failed, answered, failed }]);
  });

  it('an asker that is killed while its calls wait, are served and are answered leaves nothing', async () => {
    const asking = new Worker(
      `const { workerData, parentPort } = require('node:worker_threads');
       import(workerData.entry).then(({ PagePool }) => {
         const pool = PagePool.attach({ ...workerData.share, engine: workerData.engine });
         for (let i = 0; i < 3; i++) pool.calls('work').call(pool.take()).catch(() => {});
         parentPort.postMessage('asked');
         setInterval(() => {}, 1000);
       });`,
      { eval: true, workerData: { entry: entryOf(0), share: pool.share(), engine } },
    );
    workers.push(asking);
    pool.watch(asking);
    await once(asking, 'message');
    const finish: ((length: number) => void)[] = [];
    void calls.serve(() => new Promise<number>((resolve) => finish.push(resolve)), { concurrency: 2 });
    await until(() => finish.length === 2);
    const [first, second] = finish;
    await asking.terminate();
    await until(() => pool.stats().ports.filter(({ isClaimed }) => isClaimed).length === 1);
    for (const each of [first, second]) each?.(1);
    await until(
      () => pool.stats().pages.used === 0,
      () => JSON.stringify(pool.stats().pages),
    );
    expect(pool.stats().calls).toMatchObject([{ waiting: 0, serving: 0 }]);
  });
});
