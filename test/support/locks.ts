// A lock manager for realms that have none (Node 20 and 22, Bun): exclusive locks by name, in turn, as the Web Locks
// draft says.
//
// Where the platform has one, test/package/programs/deaths-main.js and the browser tests use that. `endHolder` is what
// no real one has: it gives a lock away as if its holder's thread had ended.

interface Request {
  readonly callback: (lock: unknown) => unknown;
  readonly resolve: (result: unknown) => void;
  readonly reject: (reason: unknown) => void;
}

/** Locks of one realm. */
export class RealmLocks {
  readonly #queues = new Map<string, Request[]>();
  readonly #held = new Map<string, () => void>();

  /** Names of locks that are held. */
  get held(): string[] {
    return [...this.#held.keys()];
  }

  /** Names of locks that somebody waits for. */
  get pending(): string[] {
    return [...this.#queues.keys()];
  }

  request(
    name: string,
    options: { signal?: AbortSignal; ifAvailable?: boolean },
    callback: (lock: unknown) => unknown,
  ): Promise<unknown> {
    const { signal, ifAvailable } = options;
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const request = { callback, resolve, reject };
      if (ifAvailable && (this.#held.has(name) || this.#queues.has(name))) return resolve(callback(null));
      const queue = this.#queues.get(name) ?? [];
      this.#queues.set(name, [...queue, request]);
      signal?.addEventListener('abort', () => {
        if (this.#leave(name, request)) reject(signal.reason);
      });
      queueMicrotask(() => this.#grant(name));
    });
  }

  /** The holder of the lock is gone. */
  endHolder(name: string): void {
    this.#held.get(name)?.();
  }

  #leave(name: string, request: Request): boolean {
    const queue = this.#queues.get(name) ?? [];
    const rest = queue.filter((other) => other !== request);
    if (rest.length === 0) this.#queues.delete(name);
    else this.#queues.set(name, rest);
    return rest.length < queue.length;
  }

  #grant(name: string): void {
    const next = this.#held.has(name) ? undefined : this.#queues.get(name)?.[0];
    if (next === undefined) return;
    this.#leave(name, next);
    const free = (): void => {
      if (this.#held.get(name) === free) this.#held.delete(name);
      this.#grant(name);
    };
    this.#held.set(name, free);
    void Promise.resolve({ name }).then(next.callback).then(next.resolve, next.reject).finally(free);
  }
}
