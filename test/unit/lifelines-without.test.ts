// Watching threads that hold no lock, where threads cannot wait asynchronously: they have no strands, and no life is
// asked. A file of its own, since pools that had waitAsync go on to use it.

import { PagePool } from 'pagepool';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { RealmLocks } from '../support/locks.js';
import { codeOf, messageOf } from '../support/realm.js';
import { PATIENCE } from '../support/waiting.js';

/** As the web's workers are: no exit event, no thread number. */
const ofTheWeb = { postMessage: () => {}, terminate: () => {} };

describe('watch, where nothing tells of the end of a thread', () => {
  const { waitAsync } = Atomics;
  let pool: PagePool;

  beforeAll(() => {
    Object.defineProperty(Atomics, 'waitAsync', { value: undefined, configurable: true });
  });
  afterAll(() => {
    Object.defineProperty(Atomics, 'waitAsync', { value: waitAsync, configurable: true, writable: true });
  });
  beforeEach(() => {
    const locks = new RealmLocks();
    vi.stubGlobal('navigator', { locks });
    vi.spyOn(process, 'getBuiltinModule').mockReturnValue(undefined as never);
    vi.spyOn(locks, 'request').mockRejectedValue(new DOMException('an opaque origin', 'SecurityError'));
    pool = PagePool.createSync({ pageCount: 16, maxPorts: 4 });
  });
  afterEach(() => {
    pool.destroy();
    vi.unstubAllGlobals();
    vi.restoreAllMocks();
  });

  it('is refused where locks are, and warns who does not look at its promise', async () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
    const refused = await Promise.resolve(pool.watch(ofTheWeb)).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: 'POOL_ERR_INVALID_ARGUMENT' });
    expect(String(refused)).toMatch(/locks are not refused \(SecurityError.*reap\(portId, \{ force: true \}\)/);
    expect(warn).not.toHaveBeenCalled();
    pool.watch(ofTheWeb);
    await vi.waitFor(() => expect(warn).toHaveBeenCalledWith(expect.stringContaining('watch failed')), PATIENCE);
  });

  it('is refused at once where there are no locks', () => {
    vi.stubGlobal('navigator', {});
    expect(codeOf(() => pool.watch(ofTheWeb))).toBe('POOL_ERR_INVALID_ARGUMENT');
    expect(messageOf(() => pool.watch(ofTheWeb))).toContain('a realm with Web Locks');
  });
});
