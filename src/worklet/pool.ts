// WorkletPool: a pool as an audio thread uses it, by calls for `process()`: they return at once, make no garbage, and
// throw on misuse alone. A pool that is empty, closing or gone is a value.
//
// It stands on a port of this thread, its own or that of a pool, and keeps nothing of the pool but views of its memory
// as 32-bit samples, one for each buffer the pages lie in. Nothing here waits, so what waits is not loaded. Needs no
// timer, no TextDecoder and no URL, which audio threads do not have.

import { STATE_ACTIVE } from '../../assembly/layout.js';
import { poolState } from '../control/state.js';
import { invalidArgument, invalidHandle, requireInteger } from '../errors.js';
import { isHandleNumber } from '../numbers.js';
import { type AttachedPoolOptions, resolveAttached } from '../pool/attach-options.js';
import { onPort } from '../pool/attached.js';
import type { AttachedPool, Handle } from '../pool/attached-pool.js';
import { undeclared } from '../pool/base-attachment.js';
import { portOf } from '../pool/enrolled.js';
import type { PoolShare } from '../pool/share.js';
import { joinPool, loadedParts } from '../pool/start.js';
import { areaOf, extentOf, offsetOf } from '../port/handles.js';
import { type Port, refusal } from '../port/port.js';
import { seekPages } from '../port/want.js';
import { isWorkletAttachment, WorkletAttachment } from './attachment.js';
import { WorkletChannel } from './channel.js';

const SAMPLE_SHIFT = 2;

/**
 * A pool in an audio worklet, attached by what `processorOptions` brought.
 *
 * @example
 * class Recorder extends AudioWorkletProcessor {
 *   constructor({ processorOptions }) {
 *     super();
 *     this.pool = WorkletPool.attach(processorOptions.share);
 *     this.out = this.pool.channel('recorded');
 *   }
 *   process(inputs) {
 *     const samples = inputs[0][0];
 *     const page = samples === undefined ? 0 : this.pool.tryAlloc();
 *     if (page === 0) return true; // nothing comes, or the pool is empty
 *     this.pool.write(page, samples);
 *     if (!this.out.trySend(page, 0, 4 * samples.length)) this.pool.release(page);
 *     return true;
 *   }
 * }
 */
export class WorkletPool {
  readonly pageBytes: number;
  readonly engine: 'wasm' | 'typescript';
  readonly #port: Port;
  /** What has the port. */
  readonly #seat: AttachedPool | WorkletAttachment;
  #area: Uint8Array | undefined;
  #samples: Float32Array = new Float32Array(0);
  readonly #known = new WeakMap<Uint8Array, Float32Array>();
  // Made once: a closure a call would be garbage.
  readonly #alloc = (): number => this.#port.engine.alloc();
  readonly #allocFragment = (): number => this.#port.engine.allocFragment(this.#bytes);
  /** Of the fragment that is searched for. */
  #bytes = 0;

  /** Of a pool that this thread created or attached to. */
  constructor(pool: AttachedPool) {
    // Or of an attachment, from `attach` alone.
    const seat: AttachedPool | WorkletAttachment = pool;
    this.#port = isWorkletAttachment(seat) ? seat.port : portOf('WorkletPool', pool);
    this.#seat = seat;
    this.pageBytes = this.#port.geometry.pageBytes;
    this.engine = this.#port.engine.kind;
  }

  /**
   * Joins a pool that another thread created.
   *
   * @throws PagePoolError as `attach` of pagepool/attach
   */
  static attach(share: PoolShare, options?: AttachedPoolOptions): WorkletPool {
    const { label } = resolveAttached('attach', { label: 'worklet', ...options });
    const { port } = joinPool(share, label, loadedParts());
    return onPort(port, () => new WorkletPool(new WorkletAttachment(port) as never));
  }

  /** A whole page with one reference; 0 when the pool is empty, closing or gone. */
  tryAlloc(): Handle {
    const handle = this.#port.engine.alloc();
    return handle !== 0 || !this.#canSeek() ? handle : seekPages(this.#port, 'tryAlloc', 1, this.#alloc);
  }

  /**
   * A part of a page with one reference; 0 when the pool is empty, closing or gone.
   *
   * @throws PagePoolError POOL_ERR_INVALID_ARGUMENT when `bytes` is not 1..pageBytes
   */
  tryAllocFragment(bytes: number): Handle {
    const { geometry, engine } = this.#port;
    requireInteger('tryAllocFragment', 'bytes', bytes, 1, geometry.pageBytes);
    const handle = engine.allocFragment(bytes);
    if (handle !== 0 || !this.#canSeek()) return handle;
    this.#bytes = bytes;
    return seekPages(this.#port, 'tryAllocFragment', 1, this.#allocFragment);
  }

  /** Gives one reference back; nothing when the port is gone, which took it along. */
  release(handle: Handle): void {
    const port = this.#port;
    if (port.isGone) return;
    if (!isHandleNumber(handle)) throw invalidHandle('release', handle);
    const code = port.engine.release(handle);
    if (code < 0) throw refusal(code, 'release', 'handle', handle);
  }

  /**
   * Writes samples into the fragment, as 32-bit floats from sample number `at` of it; nowhere when the port is gone.
   *
   * @throws PagePoolError POOL_ERR_INVALID_ARGUMENT when they reach outside the fragment
   */
  write(handle: Handle, samples: Float32Array, at = 0): void {
    if (this.#port.isGone) return;
    const start = this.#reach('write', handle, samples.length, at);
    this.#samples.set(samples, start);
  }

  /**
   * Reads as many samples as `target` has, from sample number `at` of the fragment; silence when the port is gone.
   *
   * @throws PagePoolError POOL_ERR_INVALID_ARGUMENT when they reach outside the fragment
   */
  read(handle: Handle, target: Float32Array, at = 0): void {
    if (this.#port.isGone) {
      target.fill(0);
      return;
    }
    const start = this.#reach('read', handle, target.length, at);
    const samples = this.#samples;
    // By hand: subarray() would be an object.
    for (let i = 0; i < target.length; i++) target[i] = samples[start + i] as number;
  }

  /** The channel of that name, for this thread; take it once, in the constructor. */
  channel(name: string): WorkletChannel {
    const { channels } = this.#port.geometry;
    const index = channels.findIndex((channel) => channel.name === name && !channel.isCalls);
    if (index >= 0) return new WorkletChannel(this.#port, index);
    const names = channels.filter(({ isCalls }) => !isCalls).map((channel) => channel.name);
    throw undeclared('channel', 'a channel', names, name);
  }

  /** Does what other threads asked of this one: for processors that neither allocate nor release for long. */
  poll(): void {
    this.#seat.poll();
  }

  /** Leaves the pool, with everything that this thread still holds. */
  detach(): void {
    const seat = this.#seat;
    if (isWorkletAttachment(seat)) seat.detach(true);
    else seat.detach({ release: true });
  }

  /** Whether it is worth searching further for a page. */
  #canSeek(): boolean {
    const port = this.#port;
    if (port.isGone) return false;
    if (poolState(port.memory) !== STATE_ACTIVE) {
      this.#seat.poll(); // returns the cache: nobody else does while this thread goes on
      return false;
    }
    return true;
  }

  /** Makes `#samples` the memory that the fragment lies in; where in it sample number `at` stands. */
  #reach(call: string, handle: Handle, count: number, at: number): number {
    const port = this.#port;
    const room = extentOf(port, call, handle) >>> SAMPLE_SHIFT;
    if ((at | 0) !== at || at < 0 || at + count > room) {
      throw invalidArgument(call, 'at', at, `an integer, 0..${room - count}: ${count} samples of ${room}`);
    }
    const area = areaOf(port, call, handle);
    if (area !== this.#area) this.#follow(area);
    return (offsetOf(port, call, handle) >>> SAMPLE_SHIFT) + at;
  }

  /** The memory is another one, or has grown: once for each. */
  #follow(area: Uint8Array): void {
    let samples = this.#known.get(area);
    if (samples === undefined) {
      samples = new Float32Array(area.buffer, area.byteOffset, area.length >>> SAMPLE_SHIFT);
      this.#known.set(area, samples);
    }
    this.#area = area;
    this.#samples = samples;
  }
}
