// Round trips by pagepool and by postMessage: the message goes there, is checked, and the same message comes back.

import type { Channel, PagePool } from 'pagepool';
import type { EngineName } from '../rows/row.js';
import { lookFor } from '../threads/looking.js';
import type { LatencyVariant } from './ends.js';
import { attachTo, PageWords, poolFor } from './pool-numbers.js';
import { wordsIn } from './pool-objects.js';
import { Arrivals } from './posting.js';
import { checkHead, checkMessage, writeMessage } from './scenario.js';

/** How an end of pagepool waits: it blocks, or it looks again and again. */
type Wait = 'waitSync' | 'polling';

/** The next entry of the channel on `entry`. */
function receiveOne(channel: Channel, entry: Uint32Array, wait: Wait): void {
  if (wait === 'polling') lookFor(() => channel.receiveBurst(entry, 1) === 1);
  else while (channel.receiveBurst(entry, 1) === 0) channel.waitSync();
}

function send(channel: Channel, handle: number, bytes: number): void {
  if (!channel.send(handle, 0, bytes)) throw new Error('the channel is full (expected one message at a time)');
}

/** By numbers, in threads that may block. */
export function poolLatency(engine: EngineName, wait: Wait): LatencyVariant {
  return {
    caller(scenario) {
      const pool: PagePool = poolFor(scenario, engine);
      const [there, back] = [pool.channel('there'), pool.channel('back')];
      const words = new PageWords(pool);
      const entry = pool.words(4);
      return {
        shared: pool.share(),
        call(first, count, lap) {
          for (let number = first; number < first + count; number++) {
            const handle = pool.alloc();
            writeMessage(scenario, words.of(handle), pool.offset(handle) >>> 2, number);
            send(there, handle, scenario.bytes);
            receiveOne(back, entry, wait);
            const same = entry[0] as number;
            checkHead(words.of(same), pool.offset(same) >>> 2, number);
            pool.release(same);
            lap();
          }
        },
      };
    },
    answerer(scenario, _port, shared) {
      const pool = attachTo(shared, engine);
      const [there, back] = [pool.channel('there'), pool.channel('back')];
      const words = new PageWords(pool);
      const entry = pool.words(4);
      return (first, count) => {
        for (let number = first; number < first + count; number++) {
          receiveOne(there, entry, wait);
          const handle = entry[0] as number;
          checkMessage(scenario, words.of(handle), pool.offset(handle) >>> 2, number);
          send(back, handle, scenario.bytes);
        }
      };
    },
  };
}

/** By objects, in threads that go on with their event loop. */
export function poolNext(engine: EngineName): LatencyVariant {
  return {
    caller(scenario) {
      const pool = poolFor(scenario, engine);
      const [there, back] = [pool.channel('there'), pool.channel('back')];
      return {
        shared: pool.share(),
        async call(first, count, lap) {
          for (let number = first; number < first + count; number++) {
            const fragment = pool.take() ?? (await pool.takeAsync());
            writeMessage(scenario, wordsIn(fragment.bytes), 0, number);
            if (!there.sendFragment(fragment)) throw new Error('the channel is full');
            const same = await back.next();
            if (same === null) throw new Error('the channel ended');
            checkHead(wordsIn(same.bytes), 0, number);
            same.release();
            lap();
          }
        },
      };
    },
    answerer(scenario, _port, shared) {
      const pool = attachTo(shared, engine);
      const [there, back] = [pool.channel('there'), pool.channel('back')];
      return async (first, count) => {
        for (let number = first; number < first + count; number++) {
          const fragment = await there.next();
          if (fragment === null) throw new Error('the channel ended');
          checkMessage(scenario, wordsIn(fragment.bytes), 0, number);
          if (!back.sendFragment(fragment)) throw new Error('the channel is full');
        }
      };
    },
  };
}

/** By postMessage and message events. */
export function postedLatency(isTransferred: boolean): LatencyVariant {
  const post = (port: MessagePort, buffer: ArrayBuffer) => port.postMessage(buffer, isTransferred ? [buffer] : []);
  return {
    caller(scenario, port) {
      let buffer = new ArrayBuffer(scenario.bytes);
      let came: (buffer: ArrayBuffer) => void = () => {};
      port.onmessage = ({ data }) => came(data as ArrayBuffer);
      return {
        call: (first, count, lap) =>
          new Promise((resolve, reject) => {
            let number = first;
            const turn = () => {
              writeMessage(scenario, new Uint32Array(buffer), 0, number);
              post(port, buffer);
            };
            came = (same) => {
              try {
                checkHead(new Uint32Array(same), 0, number);
              } catch (error) {
                return reject(error);
              }
              if (isTransferred) buffer = same;
              lap();
              if (++number === first + count) resolve();
              else turn();
            };
            turn();
          }),
      };
    },
    answerer(scenario, port) {
      const arrivals = new Arrivals(port, (data, next) => {
        checkMessage(scenario, new Uint32Array(data as ArrayBuffer), 0, next);
        post(port, data as ArrayBuffer);
        return 1;
      });
      return arrivals.receive;
    },
  };
}
