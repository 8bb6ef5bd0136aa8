// What the three `postMessage` baselines share: filling blocks, cutting them, a bounded number of records on their way,
// and the worker that hashes what it gets. They differ in where a block lies and how a record is posted.

import { type MessagePort, parentPort, type Worker } from 'node:worker_threads';
import { addRecord, type Digest, emptyDigest } from '../digest.js';
import { blockBytes, recordEnd, windowRecords } from '../grid.js';
import { readInto, type Sink } from '../stream.js';
import type { Receiver, Sender, Setup } from './variant.js';

/** How a baseline differs from the others. */
export interface Posting {
  /** The memory of the next block; `previous` has been posted to its end. */
  nextBlock(previous: Uint8Array | null): Uint8Array;
  /** Posts the record at `start` to `end` of the block. */
  post(worker: Worker, tag: number, block: Uint8Array, start: number, end: number): void;
}

/** A record, or the end of a pass. */
type Message = [tag: number, bytes: ArrayBufferLike] | null;

/** Workers answer for this many records at once: an eighth of the window. */
const ackRecords = (setup: Setup) => Math.max(1, Math.floor(windowRecords(setup.recordBytes) / 8 / setup.workerCount));

/** The reading side of a baseline. */
export function postingSender(posting: Posting, setup: Setup, workers: Worker[]): Sender {
  const sink = new PostingSink(posting, setup, workers);
  return {
    share: null,
    receive: (_, port, onBytes) => readInto(sink.begin(), port, onBytes),
    close: async () => null,
  };
}

class PostingSink implements Sink {
  readonly #window: number;
  readonly #onWay: number[];
  #total = 0;
  #block: Uint8Array;
  /** Named to the socket while the full block before it waits for room in the window. */
  #next: Uint8Array | null = null;
  #filled = 0;
  #cut = 0;
  #tag = 0;
  #wake: (() => void) | null = null;

  constructor(
    readonly posting: Posting,
    readonly setup: Setup,
    readonly workers: Worker[],
  ) {
    this.#window = windowRecords(setup.recordBytes);
    this.#onWay = workers.map(() => 0);
    this.#block = posting.nextBlock(null);
    workers.forEach((worker, index) => {
      worker.on('message', (message) => {
        if (typeof message === 'number') this.#acked(index, message);
      });
    });
  }

  begin(): Sink {
    this.#tag = 0;
    return this;
  }

  room(): Uint8Array {
    if (this.#filled < blockBytes) return this.#block.subarray(this.#filled);
    this.#next ??= this.posting.nextBlock(this.#block);
    return this.#next;
  }

  came(count: number): boolean {
    this.#filled += count;
    return this.#handOver(false);
  }

  async ready(): Promise<void> {
    while (!this.#handOver(false)) await this.#acks();
  }

  async end(): Promise<void> {
    while (!this.#handOver(true)) await this.#acks();
    for (const worker of this.workers) worker.postMessage(null);
  }

  /** Posts every whole record, and at the end of the stream the rest. False: the window is full. */
  #handOver(isEnd: boolean): boolean {
    while (this.#cut < this.#filled) {
      let end = recordEnd(this.#cut, this.setup.recordBytes);
      if (end > this.#filled) {
        if (!isEnd) return true;
        end = this.#filled;
      }
      if (this.#total >= this.#window) return false;
      const index = this.#leastBusy();
      this.posting.post(this.workers[index] as Worker, this.#tag++, this.#block, this.#cut, end);
      this.#onWay[index] = (this.#onWay[index] as number) + 1;
      this.#total++;
      this.#cut = end;
    }
    if (this.#filled === blockBytes || isEnd) {
      this.#block = this.#next ?? this.posting.nextBlock(this.#block);
      this.#next = null;
      this.#filled = 0;
      this.#cut = 0;
    }
    return this.#total < this.#window;
  }

  #leastBusy(): number {
    let best = 0;
    for (let i = 1; i < this.#onWay.length; i++) {
      if ((this.#onWay[i] as number) < (this.#onWay[best] as number)) best = i;
    }
    return best;
  }

  #acked(index: number, count: number): void {
    this.#onWay[index] = (this.#onWay[index] as number) - count;
    this.#total -= count;
    this.#wake?.();
    this.#wake = null;
  }

  #acks(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}

/** The hashing side of every baseline. */
export function postingReceiver(setup: Setup): Receiver {
  const port = parentPort as MessagePort;
  const ackEvery = ackRecords(setup);
  let digest = emptyDigest();
  let unacked = 0;
  let done: ((digest: Digest) => void) | null = null;
  port.on('message', (message: Message) => {
    if (message === null) {
      port.postMessage(unacked);
      done?.(digest);
      unacked = 0;
      digest = emptyDigest();
      return;
    }
    const [tag, bytes] = message;
    addRecord(digest, tag, new DataView(bytes), 0, bytes.byteLength);
    if (++unacked === ackEvery) {
      port.postMessage(unacked);
      unacked = 0;
    }
  });
  return {
    receive: () =>
      new Promise((resolve) => {
        done = resolve;
      }),
    close: () => port.close(),
  };
}
