// pagepool, by objects: fragments taken with take() and takeAsync(), received with `for await`. What is most
// convenient.

import type { EngineName } from '../rows/row.js';
import type { RateVariant } from './ends.js';
import { attachTo, poolFor } from './pool-numbers.js';
import { checkMessage, writeMessage } from './scenario.js';

/** The fragment's bytes as words. */
export function wordsIn({ buffer, byteOffset, length }: Uint8Array): Uint32Array {
  return new Uint32Array(buffer, byteOffset, length >>> 2);
}

export function poolObjects(engine: EngineName): RateVariant {
  return {
    sender(scenario) {
      const pool = poolFor(scenario, engine);
      const channel = pool.channel('there');
      return {
        shared: pool.share(),
        async send(first, count) {
          for (let number = first; number < first + count; number++) {
            const fragment = pool.take() ?? (await pool.takeAsync());
            writeMessage(scenario, wordsIn(fragment.bytes), 0, number);
            while (!channel.sendFragment(fragment)) await channel.waitRoom();
          }
        },
      };
    },
    receiver(scenario, _port, shared) {
      const channel = attachTo(shared, engine).channel('there');
      const fragments = channel[Symbol.asyncIterator]();
      return async (first, count) => {
        for (let number = first; number < first + count; number++) {
          const { value } = await fragments.next();
          if (!value) throw new Error('the channel ended');
          checkMessage(scenario, wordsIn(value.bytes), 0, number);
          value.release();
        }
      };
    },
  };
}
