// ringbuf.js: the bytes themselves go through a ring in shared memory, copied in and copied out.
//
// It has one sender and one receiver, no references and nothing to wait with: both ends look again and again.

import { RingBuffer } from 'ringbuf.js';
import { lookFor } from '../threads/looking.js';
import type { LatencyVariant, RateVariant } from './ends.js';
import { checkHead, checkMessage, type Scenario, writeMessage } from './scenario.js';

const storageFor = (words: number) => RingBuffer.getStorageForCapacity(words, Uint32Array);
const ringIn = (storage: unknown) => new RingBuffer(storage as SharedArrayBuffer, Uint32Array as never);

function push(ring: RingBuffer, words: Uint32Array): void {
  lookFor(() => ring.available_write() >= words.length);
  ring.push(words, words.length);
}

function pop(ring: RingBuffer, words: Uint32Array): void {
  lookFor(() => ring.available_read() >= words.length);
  ring.pop(words, words.length);
}

export const ringbuf: RateVariant = {
  sender(scenario) {
    const storage = storageFor(scenario.window * scenario.words);
    const ring = ringIn(storage);
    const words = new Uint32Array(scenario.words);
    return {
      shared: storage,
      send(first, count) {
        for (let number = first; number < first + count; number++) {
          writeMessage(scenario, words, 0, number);
          push(ring, words);
        }
      },
    };
  },
  receiver(scenario, _port, shared) {
    const ring = ringIn(shared);
    const words = new Uint32Array(scenario.words);
    return (first, count) => {
      for (let number = first; number < first + count; number++) {
        pop(ring, words);
        checkMessage(scenario, words, 0, number);
      }
    };
  },
};

export const ringbufLatency: LatencyVariant = {
  caller(scenario: Scenario) {
    const storages = [storageFor(scenario.words), storageFor(scenario.words)];
    const [there, back] = storages.map(ringIn) as [RingBuffer, RingBuffer];
    const words = new Uint32Array(scenario.words);
    return {
      shared: storages,
      call(first, count, lap) {
        for (let number = first; number < first + count; number++) {
          writeMessage(scenario, words, 0, number);
          push(there, words);
          pop(back, words);
          checkHead(words, 0, number);
          lap();
        }
      },
    };
  },
  answerer(scenario, _port, shared) {
    const [there, back] = (shared as SharedArrayBuffer[]).map(ringIn) as [RingBuffer, RingBuffer];
    const words = new Uint32Array(scenario.words);
    return (first, count) => {
      for (let number = first; number < first + count; number++) {
        pop(there, words);
        checkMessage(scenario, words, 0, number);
        push(back, words);
      }
    };
  },
};
