// The carrier: posts buffers to the other threads of a pool, since shared memory cannot be reached by address.
//
// A BroadcastChannel named after the pool, so that nobody has to pass ports around. In Node a thread can fetch what was
// posted at once (pull), wherever it stands; elsewhere a change arrives when the thread returns to its event loop.
// Chromium delivers such messages empty: a worker that gets one sends a port to the thread that started it, where
// `watch` listens for it, and which passes on what it receives. Nothing here keeps a program alive.

import { workerThreads } from '../platform/thread.js';

/** What is used of a BroadcastChannel. */
interface Broadcast {
  onmessage: ((event: { data: unknown }) => void) | null;
  postMessage(message: unknown): void;
  close(): void;
  unref?(): void;
}

/** What is used of a MessagePort. */
interface Port {
  onmessage: ((event: { data: unknown }) => void) | null;
  postMessage(message: unknown): void;
  close(): void;
}

/** What is used of the event by which a worker sends its port. */
interface PortEvent {
  readonly data: unknown;
  readonly ports: readonly Port[];
  stopImmediatePropagation(): void;
}

/** What is used of a Worker of the web. */
interface EventWorker {
  addEventListener(type: 'message', listener: (event: PortEvent) => void): void;
  removeEventListener(type: 'message', listener: (event: PortEvent) => void): void;
}

/** The message that a worker's port comes with. */
interface Greeting {
  readonly kind: 'pagepool-carrier';
  readonly name: string;
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
  readonly #name: string;
  /** Worker -> what listens for its port. */
  readonly #workers = new Map<EventWorker, (event: PortEvent) => void>();
  /** To workers that the channel does not reach. */
  readonly #ports = new Set<Port>();
  /** To the thread that started this one, where the channel does not reach this one. */
  #parent: Port | undefined;

  constructor(name: string, onMessage: (message: unknown) => void) {
    const threads = isNode() ? (workerThreads() as Pulling | undefined) : undefined;
    const host = globalThis as { BroadcastChannel?: new (name: string) => Broadcast };
    const Channel = threads?.BroadcastChannel ?? host.BroadcastChannel;
    this.#name = name;
    this.#onMessage = onMessage;
    this.#receive = threads?.receiveMessageOnPort;
    this.canPull = this.#receive !== undefined;
    if (Channel === undefined) return; // audio worklets: they know the areas that their share had
    this.#channel = new Channel(name);
    this.#channel.onmessage = ({ data }) => this.#relay(data);
    this.#channel.unref?.();
  }

  /** Delivers what was posted, oldest first. */
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
    this.#pass(message);
  }

  #pass(message: unknown): void {
    for (const port of this.#ports) port.postMessage(message);
  }

  /** What came, for this thread and for the workers behind it. Who gets it twice does not mind. */
  #relay(message: unknown): void {
    if (message !== null) this.#pass(message);
    this.#onMessage(message);
  }

  /** Posts to the worker as well, once it has found that the channel does not reach it. */
  listen(worker: unknown): void {
    const given = worker as EventWorker;
    if (typeof given.addEventListener !== 'function' || this.#workers.has(given)) return;
    const listener = (event: PortEvent): void => {
      const greeting = event.data as Partial<Greeting> | null;
      if (greeting?.kind !== 'pagepool-carrier' || greeting.name !== this.#name) return;
      // It is the pool's own message, and none of the program's.
      event.stopImmediatePropagation();
      for (const port of event.ports) this.#ports.add(port);
    };
    this.#workers.set(given, listener);
    given.addEventListener('message', listener);
  }

  /** Sends a port to the thread that started this one. False: it was sent before, or nobody can be asked. */
  connect(): boolean {
    const host = globalThis as {
      WorkerGlobalScope?: unknown;
      postMessage?: (message: unknown, transfer: unknown[]) => void;
    };
    const isWorker = host.WorkerGlobalScope !== undefined && typeof host.postMessage === 'function';
    if (this.#parent !== undefined || !isWorker) return false;
    const { port1, port2 } = new MessageChannel() as unknown as { port1: Port; port2: Port };
    this.#parent = port1;
    port1.onmessage = ({ data }) => this.#relay(data);
    const greeting: Greeting = { kind: 'pagepool-carrier', name: this.#name };
    host.postMessage?.(greeting, [port2]);
    return true;
  }

  close(): void {
    this.#channel?.close();
    this.#parent?.close();
    for (const port of this.#ports) port.close();
    this.#ports.clear();
    for (const [worker, listener] of this.#workers) worker.removeEventListener?.('message', listener);
    this.#workers.clear();
  }
}

/** Bun and Deno have the same modules, and receive by their event loops alone. */
function isNode(): boolean {
  return !('Bun' in globalThis) && !('Deno' in globalThis);
}
