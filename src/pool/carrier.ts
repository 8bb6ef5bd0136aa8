// The carrier: posts buffers to the other threads of a pool, since shared memory cannot be reached by address.
//
// A BroadcastChannel named after the pool, so that nobody has to hand ports around. In Node a thread can fetch what was posted
// at once (pull), wherever it stands; elsewhere a change arrives when the thread returns to its event loop. Nothing here keeps a
// program alive.

import { workerThreads } from './thread.js';

/** What is used of a BroadcastChannel. */
interface Broadcast {
  onmessage: ((event: { data: unknown }) => void) | null;
  postMessage(message: unknown): void;
  close(): void;
  unref?(): void;
}

/** What is used of node:worker_threads. */
interface Pulling {
  BroadcastChannel?: new (name: string) => Broadcast;
  receiveMessageOnPort?: (port: Broadcast) => { message: unknown } | undefined;
}

/** One thread's end. */
export class Carrier {
  /** What was posted before this moment can be had at once. */
  readonly canPull: boolean;
  readonly #channel: Broadcast | undefined;
  readonly #receive: ((port: Broadcast) => { message: unknown } | undefined) | undefined;
  readonly #onMessage: (message: unknown) => void;

  constructor(name: string, onMessage: (message: unknown) => void) {
    const threads = isNode() ? (workerThreads() as Pulling | undefined) : undefined;
    const host = globalThis as { BroadcastChannel?: new (name: string) => Broadcast };
    const Channel = threads?.BroadcastChannel ?? host.BroadcastChannel;
    this.#onMessage = onMessage;
    this.#receive = threads?.receiveMessageOnPort;
    this.canPull = this.#receive !== undefined;
    if (Channel === undefined) return; // audio worklets: they know the areas that their share had
    this.#channel = new Channel(name);
    this.#channel.onmessage = ({ data }) => onMessage(data);
    this.#channel.unref?.();
  }

  /** Hands over what was posted, oldest first. */
  pull(): void {
    if (this.#receive === undefined || this.#channel === undefined) return;
    for (;;) {
      const received = this.#receive(this.#channel);
      if (received === undefined) return;
      this.#onMessage(received.message);
    }
  }

  post(message: unknown): void {
    this.#channel?.postMessage(message);
  }

  close(): void {
    this.#channel?.close();
  }
}

/** Bun and Deno have the same modules, and receive by their event loops alone. */
function isNode(): boolean {
  return !('Bun' in globalThis) && !('Deno' in globalThis);
}
