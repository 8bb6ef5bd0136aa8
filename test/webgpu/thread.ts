// Another thread of a device pool: it has numbers, and no way to the memory behind them. Shared by Node and pages.

import type { PagePool, PoolShare } from 'pagepool';
import type { webgpu } from 'pagepool/webgpu';
import { HUNG_MS } from '../support/waiting.js';

/** What a thread found. */
export interface Findings {
  readonly isReadable: boolean;
  readonly extent: number;
  /** `CODE: message` of each call that was refused. */
  readonly refusals: readonly string[];
}

/** What the thread loaded, and how it comes to a device of its own. */
export interface Loaded {
  readonly PagePool: typeof PagePool;
  readonly webgpu: typeof webgpu;
  makeDevice(): Promise<GPUDevice>;
}

/** Receives a page, tries to look at it, asks for one of its own, and sends both back. */
export async function holdNumbers({ PagePool, webgpu, makeDevice }: Loaded, share: PoolShare): Promise<Findings> {
  const pool = PagePool.attach(share);
  const fragment = await pool.channel('work').next({ timeoutMs: HUNG_MS, ref: true });
  if (fragment === null) throw new Error('the channel is closed (expected a page)');
  const refusals: string[] = [];
  const refused = (run: () => unknown): void => {
    try {
      run();
      refusals.push('nothing thrown');
    } catch (error) {
      const { code, message } = error as Error & { code?: string };
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
