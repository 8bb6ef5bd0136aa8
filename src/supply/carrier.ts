// The carrier: posts buffers to the other threads of a pool, since shared memory cannot be reached by address.
//
// A BroadcastChannel named after the pool, so that nobody has to pass ports around. In Node a thread can fetch what was
// posted at once (pull), wherever it stands; elsewhere a change arrives when the thread returns to its event loop. Bun
// and Deno fetch at once from message ports alone: there a thread sends the owner one, its line, as a message between
// threads, and pulls once the owner has answered by it. Chromium delivers what is broadcast empty: a worker that gets
// such a message sends a port to the thread that started it, where `watch` listens for it, and which passes on what it
// receives. In Deno a channel that opens in the turn in which the thread's last one was closed is dead for ever: it
// throws at each message, and hears none. So one stays open there. Nothing here keeps a program alive.

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

/** By which a thread sends its line to the owner. */
interface LineGreeting {
  readonly kind: 'pagepool-line';
  readonly name: string;
  /** The thread's port of the pool. */
  readonly id: number;
  readonly line: Port;
}

/** What is used of node:worker_threads. */
interface Pulling {
  readonly threadId: number;
  BroadcastChannel?: new (name: string) => Broadcast;
  MessageChannel?: new () => { port1: Port; port2: Port };
  receiveMessageOnPort?: (port: Broadcast | Port) => { message: unknown } | undefined;
  postMessageToThread?: (thread: number, message: LineGreeting, transfer: unknown[], ms: number) => Promise<void>;
}

/** What is used of the process, where threads are sent messages. */
interface Listening {
  on?(event: 'workerMessage', listener: (message: unknown) => void): void;
  off?(event: 'workerMessage', listener: (message: unknown) => void): void;
}

/** For so long a thread that is about to end may wait for the owner to have heard of its line. */
const GREETING_MS = 1000;

/** Deno: what keeps the thread's later channels alive. */
let anchor: Broadcast | undefined;

/** Name -> what takes lines: of this thread's pools. One listener for all, however many they are. */
const takers = new Map<string, (greeting: LineGreeting) => void>();

function heed(message: unknown): void {
  const greeting = (message ?? {}) as Partial<LineGreeting>;
  if (greeting.kind === 'pagepool-line') takers.get(String(greeting.name))?.(greeting as LineGreeting);
}

/** One thread's end. */
export class Carrier {
  readonly #channel: Broadcast | undefined;
  readonly #threads: Pulling | undefined;
  readonly #onMessage: (message: unknown) => void;
  readonly #name: string;
  /** Worker -> what listens for its port. */
  readonly #workers = new Map<EventWorker, (event: PortEvent) => void>();
  /** To workers that the channel does not reach. */
  readonly #ports = new Set<Port>();
  /** To the thread that started this one, where the channel does not reach this one. */
  #parent: Port | undefined;
  /** To the owner. */
  #line: Port | undefined;
  /** The owner's: by the port of the pool that the thread at the other end has. */
  readonly #lines = new Map<number, Port>();
  #canPull: boolean;

  constructor(name: string, onMessage: (message: unknown) => void) {
    this.#threads = workerThreads() as Pulling | undefined;
    const host = globalThis as { BroadcastChannel?: new (name: string) => Broadcast };
    // The one of the web keeps a program alive, in Node and in Deno.
    const Channel = ('Bun' in globalThis ? undefined : this.#threads?.BroadcastChannel) ?? host.BroadcastChannel;
    this.#name = name;
    this.#onMessage = onMessage;
    this.#canPull = isNode() && this.#threads?.receiveMessageOnPort !== undefined;
    if (Channel === undefined) return; // audio worklets: they know the areas that their share had
    if ('Deno' in globalThis && anchor === undefined) {
      anchor = new Channel('pagepool');
      anchor.unref?.();
    }
    this.#channel = new Channel(name);
    this.#channel.onmessage = ({ data }) => {
      // What lies in the line came by the channel as well: nothing stays there.
      if (this.#line !== undefined) this.pull();
      this.#relay(data);
    };
    this.#channel.unref?.();
  }

  /** What was posted before this moment can be had at once. */
  get canPull(): boolean {
    return this.#canPull;
  }

  /** Delivers what was posted, oldest first. */
  pull(): void {
    const from = this.#line ?? (this.#canPull ? this.#channel : undefined);
    if (from === undefined) return;
    for (;;) {
      const received = this.#threads?.receiveMessageOnPort?.(from);
      if (received === undefined) return;
      this.#canPull = true;
      this.#onMessage(received.message);
    }
  }

  /** The owner: threads that can fetch at once from a line alone send it theirs. `begin` answers each. */
  takeLines(begin: (post: (message: unknown) => void) => void): void {
    if (isNode()) return;
    if (takers.size === 0) hostProcess()?.on?.('workerMessage', heed);
    takers.set(this.#name, ({ id, line }) => {
      this.#lines.get(id)?.close(); // of a thread that has left
      this.#lines.set(id, line);
      begin((first) => line.postMessage(first));
    });
  }

  /** Sends the owner a line, where this thread could fetch from it, and has a number as the owner's thread has. */
  openLine(owner: number, id: number): void {
    const { MessageChannel, postMessageToThread, receiveMessageOnPort, threadId } = this.#threads ?? {};
    if (isNode() || MessageChannel === undefined || receiveMessageOnPort === undefined) return;
    // Workers of the web have no number of their own.
    if (owner < 0 || owner === threadId) return;
    const { port1, port2: line } = new MessageChannel();
    this.#line = port1;
    const greeting: LineGreeting = { kind: 'pagepool-line', name: this.#name, id, line };
    // Where nobody listens nothing is fetched: what is broadcast arrives all the same.
    postMessageToThread?.(owner, greeting, [line], GREETING_MS).catch(() => {});
  }

  post(message: unknown): void {
    this.#channel?.postMessage(message);
    this.#pass(message);
  }

  #pass(message: unknown): void {
    for (const port of this.#ports) port.postMessage(message);
    for (const [id, line] of this.#lines) {
      try {
        line.postMessage(message);
      } catch {
        this.#lines.delete(id); // its thread has ended
      }
    }
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
    this.#line?.close();
    for (const port of [...this.#ports, ...this.#lines.values()]) port.close();
    this.#ports.clear();
    this.#lines.clear();
    if (takers.delete(this.#name) && takers.size === 0) hostProcess()?.off?.('workerMessage', heed);
    for (const [worker, listener] of this.#workers) worker.removeEventListener?.('message', listener);
    this.#workers.clear();
  }
}

/** Bun and Deno have the same modules, and receive what is broadcast by their event loops alone. */
function isNode(): boolean {
  return !('Bun' in globalThis) && !('Deno' in globalThis);
}

function hostProcess(): Listening | undefined {
  return (globalThis as { process?: Listening }).process;
}
