// Which ports are asked whether their threads live.

import { expect, it } from 'vitest';
import { PORT_CLAIM_OFFSET } from '../../assembly/layout.js';
import { portOffset } from '../../src/control/places.js';
import { LifeWatch } from '../../src/recovery/lives.js';
import { openPorts } from '../support/ports.js';

it('all others that are attached, and none behind the last one, whatever its words say', () => {
  const ports = openPorts({ pageCount: 4, maxPorts: 4 }, ['typescript'], 3);
  const [{ geometry, memory }, own] = [ports[0]!, ports[1]!];
  const claimIndex = (id: number): number => (portOffset(geometry, id) + PORT_CLAIM_OFFSET) >>> 2;
  memory.u32[claimIndex(geometry.maxPorts)] = memory.u32[claimIndex(0)]!;
  const asked: number[] = [];
  const watch = new LifeWatch(
    own,
    (id) => asked.push(id) > 0,
    () => {},
  );
  watch.follow();
  watch.stop();
  expect(asked).toEqual([0, 2]);
});
