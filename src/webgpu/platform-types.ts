// Types of WebGPU that a consumer's type libraries may lack: the platform's own where declared, the part used here
// elsewhere.
//
// Types alone, no code. DOM of TypeScript 6 and `@webgpu/types` declare them; a bare ES2022 does not, and the package's
// declarations must still mean something there.

/** `GPUBuffer`. */
export type GpuBuffer = typeof globalThis extends { GPUBuffer: { prototype: infer Buffer } } ? Buffer : BufferLike;

/** `GPUDevice`. */
export type GpuDevice = typeof globalThis extends { GPUDevice: { prototype: infer Device } } ? Device : DeviceLike;

interface BufferLike {
  readonly size: number;
  readonly usage: number;
  readonly mapState: string;
  mapAsync(mode: number, offset?: number, size?: number): Promise<undefined>;
  getMappedRange(offset?: number, size?: number): ArrayBuffer;
  unmap(): void;
  destroy(): void;
}

interface DeviceLike {
  readonly limits: object;
  readonly lost: Promise<{ readonly reason: string; readonly message: string }>;
  readonly queue: {
    submit(buffers: Iterable<object>): void;
    onSubmittedWorkDone(): Promise<undefined>;
  };
  createBuffer(descriptor: { label?: string; size: number; usage: number }): BufferLike;
  createCommandEncoder(): object;
  pushErrorScope(filter: 'out-of-memory' | 'validation'): void;
  popErrorScope(): Promise<{ readonly message: string } | null>;
}
