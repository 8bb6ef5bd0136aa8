// postMessage on a MessageChannel between the two threads: copied or transferred, one message a buffer or an array of
// buffers.
//
// The receiver answers for a quarter of the window at once, so that a sender seldom stands still. No variant uses
// shared memory: this is what a program without it does.

import type { RateVariant, Receive, Sender } from './ends.js';
import { checkMessage, type Scenario, writeMessage } from './scenario.js';

/** Counts what is on its way, and lets the sender wait for room. */
class Credit {
  #free: number;
  #wake: (() => void) | null = null;

  constructor(window: number) {
    this.#free = window;
  }

  get free(): number {
    return this.#free;
  }

  take(count: number): void {
    this.#free -= count;
  }

  give(count: number): void {
    this.#free += count;
    this.#wake?.();
    this.#wake = null;
  }

  async room(count: number): Promise<void> {
    while (this.#free < count) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

/**
 * Counts messages that came against messages that were asked for, whichever is first. `came` says how many one event
 * was.
 */
export class Arrivals {
  #next = 0;
  #end = 0;
  #done: (() => void) | null = null;
  #failure: ((reason: unknown) => void) | null = null;

  constructor(port: MessagePort, came: (data: unknown, next: number) => number) {
    port.onmessage = ({ data }) => {
      try {
        this.#next += came(data, this.#next);
        if (this.#next >= this.#end) this.#done?.();
      } catch (error) {
        this.#failure?.(error);
      }
    };
  }

  readonly receive: Receive = (first, count) =>
    new Promise((resolve, reject) => {
      this.#end = first + count;
      this.#done = resolve;
      this.#failure = reject;
      if (this.#next >= this.#end) resolve();
    });
}

/** Answers for a quarter of the window at once. */
function answering({ window }: Scenario, answer: (count: number) => void): (count: number) => void {
  let unanswered = 0;
  return (count) => {
    unanswered += count;
    if (unanswered < window / 4) return;
    answer(unanswered);
    unanswered = 0;
  };
}

function withCredit(scenario: Scenario, port: MessagePort, post: (number: number) => void): Sender {
  const credit = new Credit(scenario.window);
  port.onmessage = ({ data }) => credit.give(data as number);
  return {
    async send(first, count) {
      for (let number = first; number < first + count; number++) {
        if (credit.free < 1) await credit.room(1);
        post(number);
        credit.take(1);
      }
    },
  };
}

function plainReceiver(scenario: Scenario, port: MessagePort): Receive {
  const answer = answering(scenario, (count) => port.postMessage(count));
  const arrivals = new Arrivals(port, (data, next) => {
    checkMessage(scenario, new Uint32Array(data as ArrayBuffer), 0, next);
    answer(1);
    return 1;
  });
  return arrivals.receive;
}

/** The sender writes into one buffer over and over: posting has copied it when it returns. */
export const copied: RateVariant = {
  sender(scenario, port) {
    const words = new Uint32Array(scenario.words);
    return withCredit(scenario, port, (number) => {
      writeMessage(scenario, words, 0, number);
      port.postMessage(words.buffer);
    });
  },
  receiver: plainReceiver,
};

/** A new buffer a message, given away. */
export const transferred: RateVariant = {
  sender(scenario, port) {
    return withCredit(scenario, port, (number) => {
      const words = new Uint32Array(scenario.words);
      writeMessage(scenario, words, 0, number);
      port.postMessage(words.buffer, [words.buffer]);
    });
  },
  receiver: plainReceiver,
};

/** A pool of transferable buffers: the receiver sends them back, a quarter of the window at once. */
export const returned: RateVariant = {
  sender(scenario, port) {
    const credit = new Credit(scenario.window);
    const home: ArrayBuffer[] = [];
    for (let i = 0; i < scenario.window; i++) home.push(new ArrayBuffer(scenario.bytes));
    port.onmessage = ({ data }) => {
      home.push(...(data as ArrayBuffer[]));
      credit.give((data as ArrayBuffer[]).length);
    };
    return {
      async send(first, count) {
        for (let number = first; number < first + count; number++) {
          if (credit.free < 1) await credit.room(1);
          const buffer = home.pop() as ArrayBuffer;
          writeMessage(scenario, new Uint32Array(buffer), 0, number);
          port.postMessage(buffer, [buffer]);
          credit.take(1);
        }
      },
    };
  },
  receiver(scenario, port) {
    let read: ArrayBuffer[] = [];
    const arrivals = new Arrivals(port, (data, next) => {
      checkMessage(scenario, new Uint32Array(data as ArrayBuffer), 0, next);
      read.push(data as ArrayBuffer);
      if (read.length >= scenario.window / 4) {
        port.postMessage(read, read);
        read = [];
      }
      return 1;
    });
    return arrivals.receive;
  },
};

/** Arrays of buffers in one message, copied or transferred. */
export function batched(isTransferred: boolean): RateVariant {
  return {
    sender(scenario, port) {
      const credit = new Credit(scenario.window);
      const kept = Array.from({ length: scenario.batch }, () => new ArrayBuffer(scenario.bytes));
      port.onmessage = ({ data }) => credit.give(data as number);
      return {
        async send(first, count) {
          for (let number = first; number < first + count; ) {
            const size = Math.min(scenario.batch, first + count - number);
            if (credit.free < size) await credit.room(size);
            const buffers: ArrayBuffer[] = [];
            for (let i = 0; i < size; i++, number++) {
              const buffer = isTransferred ? new ArrayBuffer(scenario.bytes) : (kept[i] as ArrayBuffer);
              writeMessage(scenario, new Uint32Array(buffer), 0, number);
              buffers.push(buffer);
            }
            port.postMessage(buffers, isTransferred ? buffers : []);
            credit.take(size);
          }
        },
      };
    },
    receiver(scenario, port) {
      const answer = answering(scenario, (count) => port.postMessage(count));
      const arrivals = new Arrivals(port, (data, next) => {
        const buffers = data as ArrayBuffer[];
        buffers.forEach((buffer, i) => {
          checkMessage(scenario, new Uint32Array(buffer), 0, next + i);
        });
        answer(buffers.length);
        return buffers.length;
      });
      return arrivals.receive;
    },
  };
}
