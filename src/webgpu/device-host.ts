// What the files of one pool's device memory share: the provider's side, a place in a buffer, and whether either can be
// used.
//
// Pure but for what it is given. The owner's thread only.

import { invalidArgument, PagePoolError } from '../errors.js';
import type { DeviceAreas } from './device-areas.js';
import type { GpuBuffer, GpuDevice } from './platform-types.js';

/** Where in a GPUBuffer a fragment lies: fits a bind group's resource and the arguments of copies. */
export interface DeviceBinding {
  readonly buffer: GpuBuffer;
  readonly offset: number;
  readonly size: number;
}

/** The provider's side, as the memory of one pool sees it. */
export interface DeviceHost {
  readonly device: GpuDevice;
  readonly usage: number;
  /** Whether the queue takes views of shared memory; asked once. */
  readonly takesSharedViews: boolean;
  /** Why the device is gone; undefined while it is there. */
  readonly lost: string | undefined;
  readonly areas: readonly DeviceAreas[];
}

/** @throws PagePoolError POOL_ERR_PROVIDER when the device is lost */
export function requireDevice(host: DeviceHost, call: string, cause?: unknown): void {
  if (host.lost !== undefined) throw lostError(host, call, cause);
}

/** @throws PagePoolError POOL_ERR_INVALID_ARGUMENT when the buffers were not made for it */
export function requireUsage({ usage }: DeviceHost, call: string, flag: number, name: string): void {
  if ((usage & flag) !== 0) return;
  throw invalidArgument(call, 'usage', usage, `${name} in it`, 'give webgpu() a usage with it');
}

/** The error of whoever needs a device that is lost. */
export function lostError({ lost }: DeviceHost, call: string, cause?: unknown): PagePoolError {
  return new PagePoolError(
    'POOL_ERR_PROVIDER',
    `${call} failed: device=lost, ${lost} (expected one that is there); close the pool, and make another with a new device`,
    cause === undefined ? undefined : { cause },
  );
}
