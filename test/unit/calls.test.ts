// Calls in one thread: each is answered, fails with the reason, or is given up; and whatever handlers do, all pages
// come home.

import { createHook } from 'node:async_hooks';
import { type Call, type Calls, type Fragment, PagePool, type PoolOptions } from 'pagepool';
import { Packet } from 'pagepool/packet';
import { afterEach, describe, expect, it } from 'vitest';
import { codeOf, messageOf } from '../support/realm.js';
import { HUNG_MS, turns, until } from '../support/waiting.js';

/** The error that a promise ends with. */
async function errorOf(promise: Promise<unknown>): Promise<Error & { code?: string }> {
  return promise.then(
    () => {
      throw new Error('it was answered');
    },
    (error) => error,
  );
}

describe.each(['wasm', 'typescript'] as const)('with the %s engine', (engine) => {
  let pool: PagePool;
  let calls: Calls;

  function open(options: PoolOptions = {}): void {
    pool = PagePool.createSync({ engine, pageCount: 16, maxPorts: 2, calls: { work: {} }, ...options });
    calls = pool.calls('work');
  }
  function request(text = ''): Fragment {
    const fragment = pool.take() as Fragment;
    fragment.bytes.fill(0);
    fragment.bytes.set(new TextEncoder().encode(text));
    return fragment;
  }
  afterEach(async () => {
    pool.trim();
    expect(pool.audit()).toMatchObject({ balanced: true, errors: [], pages: { used: 0 } });
    expect(await pool.close({ timeoutMs: HUNG_MS })).toMatchObject({ isDestroyed: true });
  });

  describe('a call', () => {
    it('is answered in place, in the page that it came in', async () => {
      open();
      expect(calls.name).toBe('work');
      void calls.serve((call) => {
        expect(call.reply).toBe(call.request);
        expect(call.from).toBe(pool.portId);
        call.reply.bytes[0] = (call.request.bytes[0] as number) + 1;
        return 3;
      });
      const asked = request('a');
      const { handle } = asked;
      const reply = await calls.call(asked);
      expect([reply.handle, reply.length, reply.bytes[0]]).toEqual([handle, 3, 'b'.charCodeAt(0)]);
      expect(codeOf(() => asked.release())).toBe('POOL_ERR_STALE_HANDLE');
      reply.release();
    });

    it('is answered in the room that was taken along', async () => {
      open();
      void calls.serve(async ({ request, reply }) => {
        await turns(1);
        expect([request.length, reply.length]).toEqual([100, 200]);
        reply.bytes.set(request.bytes.subarray(0, 4));
        return 4;
      });
      const room = await calls.take(100, 200);
      room.request.bytes.set([1, 2, 3, 4]);
      const reply = await room.send();
      expect([...reply.bytes]).toEqual([1, 2, 3, 4]);
      reply.release();
    });

    it('lets the event loop run where the next one is there already', async () => {
      open();
      const replies = Array.from({ length: 10 }, () => calls.call(request()));
      let hasRun = false;
      setImmediate(() => {
        hasRun = true;
      });
      const seen: boolean[] = [];
      void calls.serve(() => {
        // By the clock that tells the library when its turn is over.
        for (const startMs = performance.now(); performance.now() - startMs < 1; );
        seen.push(hasRun);
        return 0;
      });
      for (const reply of await Promise.all(replies)) reply.release();
      expect([seen.length, seen[0], seen.at(-1)]).toEqual([10, false, true]);
    });

    it('makes one promise, or three where the event loop is due', async () => {
      open({ pageCount: 64 });
      void calls.serve(() => 0);
      let promises = 0;
      const hook = createHook({ init: (_id, type) => void (type === 'PROMISE' && promises++) }).enable();
      const ask = async (count: number): Promise<number> => {
        const requests = Array.from({ length: count }, () => request());
        const before = promises;
        const replies = requests.map((each) => calls.call(each));
        // Awaited by one, so that a call has no more of the test's own.
        await replies.at(-1);
        const made = promises - before;
        for (const reply of replies) (await reply).release();
        return made;
      };
      const few = await ask(10);
      const many = await ask(60);
      hook.disable();
      // With an async function on the way of each call, and of each answer, they were ten.
      expect(many - few).toBeLessThan(4 * 50);
    });

    it('is sent as far as it was written', async () => {
      open();
      void calls.serve(({ request, reply }) => {
        reply.bytes[0] = request.length;
        reply.bytes.set(request.bytes, 1);
        return 1 + request.length;
      });
      for (const requestBytes of [0, 1, 3, 100, undefined]) {
        const room = await calls.take(100, 200);
        room.request.bytes.fill(7);
        const length = requestBytes ?? 100;
        const reply = await room.send({ requestBytes, timeoutMs: HUNG_MS });
        expect([...reply.bytes]).toEqual([length, ...Array(length).fill(7)]);
        room.release(); // what is gone is gone
        reply.release();
      }
      const room = await calls.take(100, 200);
      for (const requestBytes of [-1, 101, 1.5, '1', null]) {
        const error = await errorOf(room.send({ requestBytes: requestBytes as number }));
        expect(error).toMatchObject({ code: 'POOL_ERR_INVALID_ARGUMENT' });
        expect(error.message).toMatch(/^send failed: requestBytes=.* \(expected an integer, 0\.\.100\)/);
      }
      (await room.send()).release();
    });

    it('is answered by a fragment that the server gives', async () => {
      open();
      void calls.serve(() => request('given'));
      const reply = await calls.call(request('asked'));
      expect(reply.bytes[0]).toBe('g'.charCodeAt(0));
      reply.release();
    });

    it('is answered by the window that the server gives, where that begins and as long as it is', async () => {
      open();
      void calls.serve(() => {
        const given = request('not this, but that');
        const window = given.slice(10, 8);
        given.release();
        return window;
      });
      const reply = await calls.call(request('asked'));
      expect([reply.offset, reply.length, new TextDecoder().decode(reply.bytes.slice())]).toEqual([10, 8, 'but that']);
      reply.release();
    });

    it('takes a packet of one window, which is empty then, and no other', async () => {
      open();
      void calls.serve(({ reply }) => reply.length);
      const packet = new Packet().append(request('in a packet'));
      const reply = await calls.call(packet);
      expect([packet.length, reply.length]).toEqual([0, 4096]);
      reply.release();
      expect(await errorOf(calls.call(packet))).toMatchObject({ code: 'POOL_ERR_INVALID_ARGUMENT' });
      const two = new Packet().append(request()).append(request());
      expect((await errorOf(calls.call(two))).message).toContain("the packet's parts=2");
      two.release();
    });

    it('waits for a server, for room, and for a reply slot: 200 at once on 70 pages', async () => {
      open({ pageCount: 70, calls: { work: { capacity: 2 } } });
      const asked = Array.from({ length: 200 }, async (_, i) => {
        const fragment = await pool.takeAsync();
        fragment.bytes[0] = i;
        const reply = await calls.call(fragment);
        const [first] = reply.bytes;
        reply.release();
        return first;
      });
      await turns(2);
      void calls.serve(({ reply }) => reply.length, { concurrency: 3 });
      expect(await Promise.all(asked)).toEqual(Array.from({ length: 200 }, (_, i) => i));
      expect(pool.stats().calls).toMatchObject([{ name: 'work', capacity: 2, asked: 200, answered: 200, waiting: 0 }]);
    });

    it('and replies taken along never stand still on a pool with room for one of them', async () => {
      open({ pageCount: 2 });
      void calls.serve(({ reply }) => reply.length, { concurrency: 2 });
      const inPlace = async () => {
        for (let i = 0; i < 20; i++) (await calls.call(await pool.takeAsync())).release();
      };
      const withRoom = async () => {
        for (let i = 0; i < 20; i++) (await (await calls.take(4096, 4096)).send()).release();
      };
      await Promise.all([inPlace(), withRoom(), inPlace(), withRoom()]);
    });
  });

  describe('a handler', () => {
    it.each<[string, (call: Call, own: () => Fragment) => unknown, string]>([
      ['throws an error', () => fail(new Error('no such picture')), 'no such picture'],
      ['throws what is none', () => fail('just text'), 'just text'],
      ['rejects', async () => Promise.reject(new Error('later')), 'later'],
      ['returns nothing', () => undefined, 'the handler returned undefined (expected how many bytes of reply'],
      ['returns no integer', () => 1.5, 'the handler returned 1.5'],
      ['returns NaN', () => Number.NaN, 'the handler returned NaN'],
      ['returns less than nothing', () => -1, 'the handler returned -1'],
      ['returns text', () => '5', 'the handler returned "5"'],
      ['returns an object', () => ({ length: 3 }), 'the handler returned object'],
      ['returns null', () => null, 'the handler returned null'],
      ['says that it wrote more than there is room for', ({ reply }) => reply.length + 1, '(expected how many bytes'],
      ['returns a spent fragment', (_, own) => spent(own()), 'a handle whose fragment lives'],
    ])('that %s fails the call with that', async (_, handler, message) => {
      open();
      void calls.serve((call) => handler(call, () => request()) as number);
      const error = await errorOf(calls.call(request()));
      expect(error.code).toBe('POOL_ERR_CALL_FAILED');
      expect(error.message).toContain(message);
      // The words of whoever threw, without those of the call.
      const { message: own } = error.cause as Error;
      expect(own).toContain(message);
      expect(own).not.toContain('call failed');
      const room = await calls.take(64, 512);
      expect((await errorOf(room.send())).message).toContain(message);
      // It goes on serving.
      expect(pool.stats().calls).toMatchObject([{ asked: 2, failed: 2, serving: 0 }]);
    });

    it('that releases the request in whose place the answer would be fails the call', async () => {
      open();
      void calls.serve((call) => {
        call.request.release();
        return 1;
      });
      const error = await errorOf(calls.call(request()));
      expect([error.code, error.message]).toEqual([
        'POOL_ERR_CALL_FAILED',
        expect.stringContaining('the room for its message is gone'),
      ]);
    });

    it('that releases the request twice fails the call with the error of that', async () => {
      open();
      void calls.serve((call) => {
        call.request.release();
        call.request.release();
        return 1;
      });
      const room = await calls.take(256, 512);
      expect((await errorOf(room.send())).message).toContain('release failed');
    });

    it('that releases the request by its number fails the call, and the next one is served', async () => {
      open();
      let isFirst = true;
      void calls.serve((call) => {
        if (isFirst) pool.release(call.request.handle);
        isFirst = false;
        return 1;
      });
      expect(await errorOf(calls.call(request()))).toMatchObject({ code: 'POOL_ERR_CALL_FAILED' });
      (await calls.call(request())).release();
    });

    it('may release the request early where the reply has room of its own, and give the request back', async () => {
      open();
      let isEarly = true;
      void calls.serve((call) => {
        if (!isEarly) return call.request;
        call.request.release();
        return 7;
      });
      const early = await (await calls.take(64, 64)).send();
      isEarly = false;
      const back = await (await calls.take(32, 64)).send();
      expect([early.length, back.length]).toEqual([7, 32]);
      early.release();
      back.release();
    });

    it('whose message is longer than the room: it is cut there, between characters', async () => {
      open();
      let message = 'x'.repeat(200);
      void calls.serve(() => fail(new Error(message)));
      const failed = async (room: number) => errorOf((await calls.take(64, room)).send());
      expect(await failed(100)).toMatchObject({ code: 'POOL_ERR_CALL_FAILED' });
      expect((await failed(100)).message).toContain(`: ${'x'.repeat(97)}… (expected`);
      expect((await failed(2)).message).toContain(': xx (expected'); // no room for what says that it is cut
      message = 'aü'.repeat(10);
      expect((await failed(8)).message).toContain(': aüa… (expected'); // 1 + 2 + 1, and 3 for the ellipsis
      expect((await failed(30)).message).toContain(`: ${message} (expected`);
    });

    it('that never returns keeps nobody else waiting, where there is room for more', async () => {
      open();
      let release: (value: number) => void = () => {};
      let isFirst = true;
      void calls.serve(
        () => {
          if (!isFirst) return 1;
          isFirst = false;
          return new Promise<number>((resolve) => {
            release = resolve;
          });
        },
        { concurrency: 2 },
      );
      const stuck = calls.call(request());
      for (let i = 0; i < 5; i++) (await calls.call(request())).release();
      expect(pool.stats().calls).toMatchObject([{ serving: 1, answered: 5 }]);
      release(2);
      (await stuck).release();
    });
  });

  describe('giving up', () => {
    it('before a server took it: the call is dropped on its way', async () => {
      open();
      const error = await errorOf(calls.call(request(), { timeoutMs: 1 }));
      expect(error).toMatchObject({ code: 'POOL_ERR_TIMEOUT' });
      let served = 0;
      void calls.serve(() => ++served);
      (await calls.call(request())).release();
      expect(served).toBe(1);
      expect(pool.stats().calls).toMatchObject([{ asked: 2, cancelled: 1, answered: 1, waiting: 0, serving: 0 }]);
    });

    it('while it is served: the handler hears of it, and what it answers is released', async () => {
      open();
      const aborter = new AbortController();
      let heard = 0;
      let finish: (value: number) => void = () => {};
      void calls.serve((call) => {
        call.signal.addEventListener('abort', () => heard++);
        return new Promise<number>((resolve) => {
          finish = resolve;
        });
      });
      const asked = errorOf(calls.call(request(), { signal: aborter.signal }));
      await until(() => pool.stats().calls[0]?.serving === 1);
      aborter.abort(new Error('enough'));
      expect((await asked).message).toBe('enough');
      await until(() => heard === 1);
      expect(pool.stats().pages.used).toBe(1);
      finish(1);
      await until(() => pool.stats().pages.used === 0);
    });

    it('a signal that is aborted already: the request is released, and nothing was sent', async () => {
      open();
      const error = await errorOf(calls.call(request(), { signal: AbortSignal.abort(new Error('before')) }));
      expect(error.message).toBe('before');
      expect(pool.stats().calls).toMatchObject([{ asked: 0, waiting: 0 }]);
    });

    it('a signal that takes no listener: the call was sent, and is given up', async () => {
      open();
      const addEventListener = (): never => {
        throw new Error('no listener');
      };
      const signal = Object.assign(new EventTarget(), { aborted: false, addEventListener }) as never;
      expect((await errorOf(calls.call(request(), { signal }))).message).toBe('no listener');
      expect(pool.stats().calls).toMatchObject([{ asked: 1, cancelled: 1 }]);
      void calls.serve(() => 1);
      (await calls.call(request())).release();
      expect(pool.stats().calls).toMatchObject([{ asked: 2, cancelled: 1, answered: 1, failed: 0 }]);
    });

    it('while there is no room: the request is released', async () => {
      open({ calls: { work: { capacity: 1 } } });
      const first = calls.call(request());
      expect(await errorOf(calls.call(request(), { timeoutMs: 1 }))).toMatchObject({ code: 'POOL_ERR_TIMEOUT' });
      expect(pool.stats().pages.used).toBe(1);
      void calls.serve(() => 1);
      (await first).release();
    });

    it('a served call keeps its slot until the server has let go: 64 of them, and the next one waits', async () => {
      open({ pageCount: 80 });
      const finish: ((value: number) => void)[] = [];
      void calls.serve(() => new Promise<number>((resolve) => finish.push(resolve)), { concurrency: 64 });
      const aborter = new AbortController();
      const asked = Array.from({ length: 64 }, () => errorOf(calls.call(request(), { signal: aborter.signal })));
      await until(() => finish.length === 64);
      aborter.abort();
      await Promise.all(asked);
      expect(await errorOf(calls.call(request(), { timeoutMs: 1 }))).toMatchObject({ code: 'POOL_ERR_TIMEOUT' });
      finish[5]?.(1);
      const next = calls.call(request());
      await until(() => finish.length === 65);
      for (const each of finish) each(1);
      (await next).release();
      await until(() => pool.stats().pages.used === 0);
    });
  });

  describe('an end', () => {
    it('of the pool fails what waits, answers what is served, and ends serving', async () => {
      open();
      let finish: (value: number) => void = () => {};
      const serving = calls.serve(
        () =>
          new Promise<number>((resolve) => {
            finish = resolve;
          }),
      );
      const served = calls.call(request());
      await until(() => pool.stats().calls[0]?.serving === 1);
      const waiting = errorOf(calls.call(request()));
      await until(() => pool.stats().calls[0]?.waiting === 1);
      const closing = pool.close({ timeoutMs: HUNG_MS });
      expect(await waiting).toMatchObject({ code: 'POOL_ERR_CLOSING' });
      finish(9);
      const reply = await served;
      expect(reply.length).toBe(9);
      reply.release();
      await serving;
      expect(await closing).toMatchObject({ isDestroyed: true });
      expect(await errorOf(calls.serve(() => 1))).toMatchObject({ code: 'POOL_ERR_DESTROYED' });
    });

    it('of serving by its signal leaves calls to others, and waits for what is under way', async () => {
      open();
      const aborter = new AbortController();
      let finish: (value: number) => void = () => {};
      let isOver = false;
      const serving = calls.serve(
        () =>
          new Promise<number>((resolve) => {
            finish = resolve;
          }),
        { signal: aborter.signal },
      );
      void serving.then(() => {
        isOver = true;
      });
      const first = calls.call(request());
      await until(() => pool.stats().calls[0]?.serving === 1);
      aborter.abort();
      const second = calls.call(request());
      await turns(3);
      expect(isOver).toBe(false);
      finish(1);
      (await first).release();
      await serving;
      void calls.serve(() => 2);
      (await second).release();
    });

    it('by detach gives up what this thread asked, and what it served', async () => {
      open();
      void calls.serve(() => new Promise<number>(() => {}));
      const asked = errorOf(calls.call(request()));
      await until(() => pool.stats().calls[0]?.serving === 1);
      const waiting = errorOf(calls.call(request()));
      const taking = errorOf(
        (async () => {
          const held = pool.take();
          try {
            for (;;) await calls.take(4096, 4096);
          } finally {
            void held;
          }
        })(),
      );
      await turns(2);
      pool.detach({ release: true });
      for (const each of [asked, waiting, taking]) expect(await each).toMatchObject({ code: 'POOL_ERR_DESTROYED' });
      open();
    });
  });

  describe('what is no argument is refused, and changes nothing:', () => {
    it('a request', async () => {
      open({ pageCount: 16 });
      const spentOne = request();
      spentOne.release();
      const other = PagePool.createSync({ engine, pageCount: 2, calls: { work: {} } });
      const foreign = other.take() as Fragment;
      for (const [wrong, code] of [
        [5, 'POOL_ERR_INVALID_ARGUMENT'],
        [undefined, 'POOL_ERR_INVALID_ARGUMENT'],
        [{}, 'POOL_ERR_INVALID_ARGUMENT'],
        [spentOne, 'POOL_ERR_STALE_HANDLE'],
        [foreign, 'POOL_ERR_FOREIGN_HANDLE'],
      ] as const) {
        expect(await errorOf(calls.call(wrong as Fragment))).toMatchObject({ code });
      }
      const kept = request();
      const wrongOptions = { timeoutMs: -1 };
      expect(await errorOf(calls.call(kept, wrongOptions))).toMatchObject({ code: 'POOL_ERR_INVALID_ARGUMENT' });
      kept.release();
      foreign.release();
      await other.close();
    });

    it('the sizes of a room, and one that was released', async () => {
      open();
      for (const [one, two] of [
        [0, 1],
        [1, 4097],
        [1.5, 1],
        ['1', 1],
      ]) {
        const error = await errorOf(calls.take(one as number, two as number));
        expect(error).toMatchObject({ code: 'POOL_ERR_INVALID_ARGUMENT' });
      }
      const room = await calls.take(1, 1);
      room.release();
      room.release(); // what is gone is gone
      expect(await errorOf(room.send())).toMatchObject({ code: 'POOL_ERR_STALE_HANDLE' });
      const half = await calls.take(1, 1);
      half.request.release();
      half.release();
    });

    it('a handler, and how to serve', async () => {
      open();
      const wrong: [unknown, unknown][] = [
        [undefined, {}],
        [() => 1, { concurrency: 0 }],
        [() => 1, { concurrency: 1025 }],
        [() => 1, { signal: {} }],
        [() => 1, { other: 1 }],
        [() => 1, 5],
      ];
      for (const [handler, options] of wrong) {
        expect(await errorOf(calls.serve(handler as () => number, options as object))).toMatchObject({
          code: 'POOL_ERR_INVALID_ARGUMENT',
        });
      }
    });

    it('a name, and how calls are declared', () => {
      open({ channels: { line: {} } });
      expect(messageOf(() => pool.calls('line'))).toContain(
        'name="line" (expected calls of the pool\'s options: work)',
      );
      expect(messageOf(() => pool.channel('work'))).toContain("a channel of the pool's options: line");
      for (const wrong of [
        { work: { capacity: 0 } },
        { work: { capacity: 65536 } },
        { work: { batch: 1 } },
        { '': {} },
        { work: 5 },
        [],
        5,
      ]) {
        const options = { engine, calls: wrong } as unknown as PoolOptions;
        expect(codeOf(() => PagePool.createSync(options))).toBe('POOL_ERR_INVALID_ARGUMENT');
      }
    });
  });
});

function fail(error: unknown): never {
  throw error;
}

function spent(fragment: Fragment): Fragment {
  fragment.release();
  return fragment;
}
