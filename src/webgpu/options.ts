// What a device provider is made with, and what a device allows: checked before any memory is taken.
//
// Pure: nothing is created here. Numbers of usages are those of the WebGPU specification, since not every realm with a
// device has the globals that name them.

import { invalidArgument, requireInteger, requireRecord } from '../errors.js';
import type { ProviderContext } from '../provider/provider.js';
import type { GpuDevice } from './platform-types.js';

/** How device memory is taken and kept. */
export interface WebGpuOptions {
  /** Bytes of a GPUBuffer, cut into pages: at least one page, at most what the device allows; 16 MiB if not given. */
  bufferBytes?: number | undefined;
  /**
   * What the buffers are for, flags of GPUBufferUsage but the mapping ones; STORAGE | COPY_SRC | COPY_DST if not given.
   */
  usage?: number | undefined;
  /** The low-water mark, bytes: buffers that each pool keeps, used or not; one buffer if not given. */
  keepBytes?: number | undefined;
}

export const MAP_READ = 0x1;
const MAP_WRITE = 0x2;
export const COPY_SRC = 0x4;
export const COPY_DST = 0x8;
const UNIFORM = 0x40;
const STORAGE = 0x80;
const USAGE_MAX = 0x3ff;
const BUFFER_BYTES = 16 * 1024 * 1024;
/** Offsets and sizes of copies are multiples of this. */
export const COPY_ALIGNMENT = 4;

/** The options with their defaults. */
export type ResolvedOptions = { readonly [Name in keyof WebGpuOptions]-?: NonNullable<WebGpuOptions[Name]> };

/**
 * @throws PagePoolError POOL_ERR_INVALID_ARGUMENT when an option is unknown, outside its range, or more than the device
 *   allows
 */
export function resolveWebGpuOptions(device: GpuDevice, options: WebGpuOptions): ResolvedOptions {
  const names = ['bufferBytes', 'usage', 'keepBytes'];
  const given = requireRecord('webgpu', 'options', options, names) as WebGpuOptions;
  if (typeof device !== 'object' || device === null || typeof device.createBuffer !== 'function') {
    throw invalidArgument('webgpu', 'device', device, 'a GPUDevice');
  }
  const most = device.limits.maxBufferSize;
  const { bufferBytes = Math.min(BUFFER_BYTES, most), usage = STORAGE | COPY_SRC | COPY_DST } = given;
  const { keepBytes = bufferBytes } = given;
  requireInteger('webgpu', 'bufferBytes', bufferBytes, 256, most);
  requireInteger('webgpu', 'usage', usage, 1, USAGE_MAX);
  if ((usage & (MAP_READ | MAP_WRITE)) !== 0) {
    throw invalidArgument(
      'webgpu',
      'usage',
      usage,
      'no MAP_READ and no MAP_WRITE',
      'a page that the processor maps is of no use to the device meanwhile: use upload() and readback()',
    );
  }
  if (!Number.isInteger(keepBytes) || keepBytes < 0) {
    throw invalidArgument('webgpu', 'keepBytes', keepBytes, 'an integer, 0 or more');
  }
  return { bufferBytes, usage, keepBytes };
}

/**
 * Refuses a pool whose pages and fragments could not all be bound: sizes and alignments are the device's.
 *
 * @throws PagePoolError POOL_ERR_INVALID_ARGUMENT
 */
export function requireBindable(
  { limits }: GpuDevice,
  { bufferBytes, usage }: ResolvedOptions,
  { pageBytes, unitBytes }: ProviderContext['pool'],
): void {
  const needs = (name: string, value: number, rule: string, todo: string): void => {
    throw invalidArgument('webgpu', name, value, rule, todo);
  };
  if (bufferBytes < pageBytes) {
    needs('bufferBytes', bufferBytes, `at least one page of ${pageBytes}`, 'take larger buffers or smaller pages');
  }
  const kinds = [
    [STORAGE, 'storage', limits.minStorageBufferOffsetAlignment, limits.maxStorageBufferBindingSize],
    [UNIFORM, 'uniform', limits.minUniformBufferOffsetAlignment, limits.maxUniformBufferBindingSize],
  ] as const;
  for (const [flag, name, alignment, most] of kinds) {
    if ((usage & flag) === 0) continue;
    if (unitBytes % alignment !== 0) {
      const todo = `create the pool with unitBytes: ${alignment}, so that every fragment can be bound`;
      needs('unitBytes', unitBytes, `a multiple of ${alignment}, the device's alignment of ${name} buffers`, todo);
    }
    if (pageBytes > most) {
      const todo = `take smaller pages, or a device with a larger limit`;
      needs('pageBytes', pageBytes, `at most ${most}, what the device binds as a ${name} buffer`, todo);
    }
  }
}
