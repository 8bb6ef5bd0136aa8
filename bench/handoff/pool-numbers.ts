// pagepool, by numbers: a page a message, its handle through a channel. One by one, or in bursts on words().
//
// The receiver takes up to 32 at a time either way, waits with waitSync() and releases in bulk. A sender that finds no
// page or no room waits with takeAsync() and waitRoom().

import { PagePool, type PoolShare } from 'pagepool';
import type { EngineName } from '../rows/row.js';
import type { RateVariant } from './ends.js';
import { checkMessage, type Scenario, writeMessage } from './scenario.js';

const ENTRY_WORDS = 4;
const BATCH = 32;

/** The pool of a hand-off: a page a message on its way, and as many in caches and hands. */
export function poolFor({ bytes, window, batch }: Scenario, engine: EngineName): PagePool {
  return PagePool.createSync({
    engine,
    pageBytes: Math.max(256, bytes),
    pageCount: 2 * window,
    maxPorts: 2,
    channels: { there: { capacity: window, batch }, back: { capacity: window, batch } },
  });
}

export function attachTo(shared: unknown, engine: EngineName): PagePool {
  const pool = PagePool.attach(shared as PoolShare);
  if (pool.engine !== engine) throw new Error(`engine=${pool.engine} (expected ${engine})`);
  return pool;
}

/** The pool's memory as words; made anew only when it has grown. */
export class PageWords {
  #memory: Uint32Array = new Uint32Array(0);
  readonly #pool: PagePool;

  constructor(pool: PagePool) {
    this.#pool = pool;
  }

  /** The words that hold the page; where it starts is `pool.offset(handle) / 4`. */
  of(handle: number): Uint32Array {
    const { buffer } = this.#pool.area(handle);
    if (buffer !== this.#memory.buffer) this.#memory = new Uint32Array(buffer);
    return this.#memory;
  }
}

function receiver(scenario: Scenario, shared: unknown, engine: EngineName): (first: number, count: number) => void {
  const pool = attachTo(shared, engine);
  const channel = pool.channel('there');
  const entries = pool.words(BATCH * ENTRY_WORDS);
  const handles = pool.words(BATCH);
  const words = new PageWords(pool);
  return (first, count) => {
    for (let next = first; next < first + count; ) {
      const came = channel.receiveBurst(entries, BATCH);
      if (came === 0) channel.waitSync();
      for (let i = 0; i < came; i++) {
        const handle = entries[i * ENTRY_WORDS] as number;
        checkMessage(scenario, words.of(handle), pool.offset(handle) >>> 2, next++);
        handles[i] = handle;
      }
      pool.releaseBulk(handles, came);
    }
  };
}

/** One call of `send` a message. */
export function poolSingle(engine: EngineName): RateVariant {
  return {
    sender(scenario) {
      const pool = poolFor(scenario, engine);
      const channel = pool.channel('there');
      const words = new PageWords(pool);
      return {
        shared: pool.share(),
        async send(first, count) {
          for (let number = first; number < first + count; number++) {
            let handle = pool.alloc();
            if (handle === 0) ({ handle } = await pool.takeAsync());
            writeMessage(scenario, words.of(handle), pool.offset(handle) >>> 2, number);
            while (!channel.send(handle, 0, scenario.bytes)) await channel.waitRoom();
          }
        },
      };
    },
    receiver: (scenario, _port, shared) => receiver(scenario, shared, engine),
  };
}

/** `allocBurst` and `sendBurst` of a batch. */
export function poolBursts(engine: EngineName): RateVariant {
  return {
    sender(scenario) {
      const pool = poolFor(scenario, engine);
      const channel = pool.channel('there');
      const words = new PageWords(pool);
      const handles = pool.words(scenario.batch);
      const entries = pool.words(scenario.batch * ENTRY_WORDS);
      return {
        shared: pool.share(),
        async send(first, count) {
          for (let number = first; number < first + count; ) {
            let got = pool.allocBurst(handles, Math.min(scenario.batch, first + count - number));
            if (got === 0) {
              handles[0] = (await pool.takeAsync()).handle;
              got = 1;
            }
            for (let i = 0; i < got; i++, number++) {
              const handle = handles[i] as number;
              writeMessage(scenario, words.of(handle), pool.offset(handle) >>> 2, number);
              const word = i * ENTRY_WORDS;
              entries[word] = handle;
              entries[word + 1] = 0;
              entries[word + 2] = scenario.bytes;
              entries[word + 3] = 0;
            }
            for (let left = got; ; ) {
              const sent = channel.sendBurst(entries, left);
              left -= sent;
              if (left === 0) break;
              entries.copyWithin(0, sent * ENTRY_WORDS, (sent + left) * ENTRY_WORDS);
              await channel.waitRoom();
            }
          }
        },
      };
    },
    receiver: (scenario, _port, shared) => receiver(scenario, shared, engine),
  };
}
