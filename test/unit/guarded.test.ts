// The engine of a thread whose areas have not arrived: it hands out nothing, and tells why its own calls were refused.

import { describe, expect, test } from 'vitest';
import { ERR_STALE_HANDLE, FULL } from '../../assembly/layout.js';
import type { Engine } from '../../src/engine/engine.js';
import { waitingEngine } from '../../src/engine/guarded.js';

describe('an engine that waits for areas', () => {
  test('says why a send was refused, and that a receipt was not', () => {
    let looks = 0;
    let code: number = FULL;
    const own = { kind: 'typescript', sendBurst: () => 0, receiveBurst: () => 9, lastError: () => code };
    const engine = waitingEngine(own as unknown as Engine, () => looks++);
    expect([engine.sendBurst(0, 0, 1, 0), engine.lastError()]).toEqual([0, FULL]);
    expect([engine.receiveBurst(0, 0, 1), engine.lastError(), looks]).toEqual([0, 0, 1]);
    code = ERR_STALE_HANDLE;
    expect([engine.sendBurst(0, 0, 1, 0), engine.lastError()]).toEqual([0, ERR_STALE_HANDLE]);
  });
});
