// The engine of a thread whose areas have not arrived: it hands out nothing, and tells why its own calls were refused.

import { describe, expect, test, vi } from 'vitest';
import { ERR_STALE_HANDLE, FULL } from '../../assembly/layout.js';
import type { Engine } from '../../src/engine/engine.js';
import { waitingEngine } from '../../src/engine/guarded.js';
import { codeOf } from '../support/realm.js';

describe('an engine that waits for areas', () => {
  test('says why a send was refused, and that a receipt was not', () => {
    let looks = 0;
    let code: number = FULL;
    const own = { kind: 'typescript', sendBurst: () => 0, receiveBurst: () => 9, lastError: () => code };
    const engine = waitingEngine(own as unknown as Engine, () => ++looks < 0);
    expect([engine.sendBurst(0, 0, 1, 0), engine.lastError()]).toEqual([0, FULL]);
    expect([engine.receiveBurst(0, 0, 1), engine.lastError(), looks]).toEqual([0, 0, 1]);
    code = ERR_STALE_HANDLE;
    expect([engine.sendBurst(0, 0, 1, 0), engine.lastError()]).toEqual([0, ERR_STALE_HANDLE]);
  });

  test('adopts as soon as they are there, blocks for them where it may, and says that they do not come', () => {
    const own = { kind: 'typescript', adopt: () => 0 } as unknown as Engine;
    let looks = 0;
    expect(waitingEngine(own, () => ++looks > 0).adopt(0, 0, 0)).toBe(0);
    expect(waitingEngine(own, () => ++looks > 5).adopt(0, 0, 0)).toBe(0);
    expect(looks).toBe(6);
    // Where a thread may not block it is told at once, and the token stays good.
    const wait = vi.spyOn(Atomics, 'wait').mockImplementation(() => {
      throw new TypeError('Atomics.wait cannot be called in this context');
    });
    expect(codeOf(() => waitingEngine(own, () => false).adopt(0, 0, 0))).toBe('POOL_ERR_PROVIDER');
    expect(wait).toHaveBeenCalledTimes(1);
    wait.mockRestore();
  });
});
