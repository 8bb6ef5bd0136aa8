// The entry pagepool/webgpu: pages in the memory of a WebGPU device. Re-exports only.

export type { DeviceConsumer } from './webgpu/consumer.js';
export type { DeviceBinding } from './webgpu/device-host.js';
export type { ConsumerOptions, DeviceMemory, DeviceMemoryOptions, DeviceReport } from './webgpu/device-memory.js';
export type { WebGpuOptions } from './webgpu/options.js';
export { type WebGpuProvider, webgpu } from './webgpu/provider.js';
export type { ReadbackOptions } from './webgpu/readbacks.js';
export type { StagingReport } from './webgpu/staging.js';
