// Real WebGPU devices for tests in Node: Dawn on SwiftShader's Vulkan driver, which draws with the processor alone.
//
// Debian's chromium brings the driver, npm's `webgpu` brings Dawn. Where one is missing there is no device, and the
// reason says so: tests are skipped then, and with CI=true the test command counts them as failed.

import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { requireProgram } from '../../scripts/browsers.mjs';
import { installed } from '../../scripts/installed.mjs';

await installed('browsers');

/** The package `webgpu`, for threads that find no package by its name. */
export const dawn: string = pathToFileURL(createRequire(import.meta.url).resolve('webgpu')).href;

interface Dawn {
  create(options: string[]): GPU;
  readonly globals: object;
}

let adapter: Promise<{ gpu: GPU } | { reason: string }> | undefined;

async function load(): Promise<{ gpu: GPU } | { reason: string }> {
  try {
    // Read by the Vulkan loader, in this process, when Dawn asks for adapters.
    process.env.VK_DRIVER_FILES = requireProgram('swiftShader');
    requireProgram('vulkanLoader');
    const dawn = (await import('webgpu' as string)) as Dawn;
    Object.assign(globalThis, dawn.globals);
    const gpu = dawn.create([]);
    if ((await gpu.requestAdapter()) === null) return { reason: 'Dawn finds no adapter' };
    return { gpu };
  } catch (error) {
    return { reason: error instanceof Error ? error.message : String(error) };
  }
}

/** Why there is no device here; undefined when there is. */
export async function missingDevice(): Promise<string | undefined> {
  adapter ??= load();
  const found = await adapter;
  return 'reason' in found ? found.reason : undefined;
}

/** A new device. */
export async function makeDevice(descriptor?: GPUDeviceDescriptor): Promise<GPUDevice> {
  adapter ??= load();
  const found = await adapter;
  if ('reason' in found) throw new Error(`no WebGPU device: ${found.reason}`);
  const device = await (await found.gpu.requestAdapter())?.requestDevice(descriptor);
  if (device === undefined) throw new Error('no WebGPU adapter');
  return device;
}
