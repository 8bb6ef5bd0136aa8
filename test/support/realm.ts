// A second copy of the package in the same thread: its own registry of attachments, so that it attaches as another
// thread would.
//
// Ports of one pool can so be stepped one after the other, without the scheduling of real threads.

import { vi } from 'vitest';

/** The package, loaded anew. */
export async function loadAnotherRealm(): Promise<typeof import('pagepool')> {
  vi.resetModules();
  return import('pagepool');
}

/** The code of what a call throws; undefined when it does not throw. */
export function codeOf(call: () => unknown): string | undefined {
  try {
    call();
    return undefined;
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
}

/** The message of what a call throws. */
export function messageOf(call: () => unknown): string {
  try {
    call();
    return '';
  } catch (error) {
    return (error as Error).message;
  }
}
