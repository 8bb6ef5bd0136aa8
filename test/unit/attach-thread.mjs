// A thread that attaches by pagepool/attach and does what every thread of a pool does; posts what it saw.
//
// workerData: { share, job, parts }; `parts`: what the thread loads besides, as 'typescript', 'areas' and 'calls'.

import { parentPort, workerData } from 'node:worker_threads';

const at = (name) => new URL(`../../build/${name}.js`, import.meta.url).href;
const { job, parts, share } = workerData;
for (const part of parts) await import(at(part));
const { AttachedPool, attach, PagePoolError } = await import(at('attach'));
const { nextPacket, sendPacket, takePacketAsync } = await import(at('packet'));

/** What the call threw, as `code: message`. */
function refused(run) {
  try {
    run();
    return 'nothing';
  } catch (error) {
    return error instanceof PagePoolError ? `${error.code}: ${error.message}` : `no error of pagepool: ${error}`;
  }
}

const jobs = {
  refusal: () => refused(() => attach(share)),

  undeclared: () => {
    const pool = attach(share);
    const found = [refused(() => pool.calls('half')), refused(() => pool.calls('third'))];
    pool.detach();
    return found;
  },

  option: () => refused(() => attach(share, { leaks: 'all' })),

  calls: () => {
    const pool = attach(share);
    const members = new Set();
    for (let type = pool; type !== Object.prototype; type = Object.getPrototypeOf(type)) {
      for (const name of Object.getOwnPropertyNames(type)) members.add(name);
    }
    const result = { isAttached: pool instanceof AttachedPool, members: [...members], engine: pool.engine };
    pool.detach();
    return result;
  },

  /** One of each way in which a page travels. */
  work: async () => {
    const pool = attach(share);
    const fragment = await pool.takeAsync(100); // where a provider has the pages, it waits for the first of them
    const words = pool.words(8);
    const count = pool.allocBurst(words, 4);
    pool.releaseBulk(words, count);
    const slice = fragment.slice(0, 8);
    const pin = pool.pin(fragment.handle);
    pool.unpin(pin);
    slice.release();
    const token = await pool.lendAsync(fragment);
    pool.adopt(token).release();
    const packet = await takePacketAsync(pool, 5000);
    for (const view of packet) view.fill(7);
    const isSent = sendPacket(pool.channel('out'), packet);
    const answer = await nextPacket(pool.channel('in'));
    const bytes = answer.length;
    answer.release();
    const received = [];
    for await (const each of pool.channel('more')) {
      received.push(each.tag);
      each.release();
    }
    const { inflight, portId } = pool;
    const refusal = refused(() => pool.release(words[0]));
    pool.detach();
    const gone = refused(() => pool.alloc());
    return { count, isSent, bytes, received, inflight, portId, refusal, gone };
  },

  /** Serves calls, and makes one of the thread that created the pool. */
  serve: async () => {
    const pool = attach(share);
    const halved = await pool.calls('half').call(await pool.takeAsync(1));
    const answer = halved.bytes[0];
    halved.release();
    await pool.calls('double').serve((call) => {
      call.reply.bytes[0] = 2 * call.request.bytes[0];
      return 1;
    });
    pool.detach({ release: true });
    return answer;
  },

  disposed: async () => {
    const pool = attach(share);
    pool.release(pool.alloc());
    // What `await using` calls, which Node 20 cannot parse.
    await pool[Symbol.asyncDispose]();
    return refused(() => attach(share).detach());
  },
};

parentPort.postMessage({ result: await jobs[job]() });
