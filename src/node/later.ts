// Later: the error of a descriptor that does not block and has nothing, or no room, and how long to wait for it.
//
// Nothing announces that there is more: epoll belongs to libuv, which watches sockets and pipes of its own alone.

/** The first wait; each one after it is twice as long. */
export const LATER_MS = 1;
/** The longest. */
export const LATER_MAX_MS = 64;

/** Whether the error means "not now". */
export function isLater(error: unknown): boolean {
  const { code } = (error ?? {}) as { code?: unknown };
  return code === 'EAGAIN' || code === 'EWOULDBLOCK';
}

/** Waits, and holds the process meanwhile. @throws (rejects) the signal's reason */
export function later(delayMs: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    const onAbort = (): void => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const onTime = (): void => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    };
    const timer = setTimeout(onTime, delayMs);
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}
