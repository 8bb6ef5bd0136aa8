// Another thread of a device pool: it has numbers, and no way to the memory behind them. Shared by Node and pages.

import { HUNG_MS } from '../support/waiting.js';

/** Receives a page, tries to look at it, asks for one of its own, and sends both back. */
export async function holdNumbers({ PagePool, webgpu, makeDevice }, share) {
  const pool = PagePool.attach(share);
  const channel = pool.channel('work');
  const fragment = await channel.next({ timeoutMs: HUNG_MS, ref: true });
  const refusals = [];
  const refused = (run) => {
    try {
      run();
      refusals.push('nothing thrown');
    } catch ({ code, message }) {
      refusals.push(`${code}: ${message}`);
    }
  };
  refused(() => fragment.bytes);
  refused(() => pool.area(fragment.handle));
  // A device of its own does not help.
  const device = await makeDevice();
  refused(() => webgpu(device).memory(pool));
  refused(() => pool.pin(fragment.handle));
  const found = { isReadable: pool.isReadable(fragment.handle), extent: pool.extent(fragment.handle), refusals };
  const own = await pool.takeAsync(undefined, { timeoutMs: HUNG_MS, ref: true });
  const back = pool.channel('back');
  back.sendFragment(own, 2);
  back.sendFragment(fragment.retain(), 1);
  fragment.release();
  device.destroy();
  pool.detach();
  return found;
}
