// A WebGPU device in Node: Dawn, on the machine's graphics driver, or on one that draws with the processor where there
// is none.

import { existsSync } from 'node:fs';

interface Dawn {
  create(options: string[]): GPU;
  readonly globals: object;
}

/** Debian's chromium-common brings it. */
const SOFTWARE_DRIVER = '/usr/lib/chromium/vk_swiftshader_icd.json';

/** Dawn's instance, kept: its adapters and devices do not keep it, and end the process without it. */
let instance: GPU | undefined;

/** Opens a device; says what to install where there is none. */
export async function openDevice(): Promise<{ device: GPUDevice; name: string }> {
  const { create, globals } = (await import('webgpu' as string)) as Dawn;
  Object.assign(globalThis, globals);
  const request = (): Promise<GPUAdapter | null> => {
    instance = create([]);
    return instance.requestAdapter();
  };
  let adapter = await request();
  if (adapter === null && process.env.VK_DRIVER_FILES === undefined && existsSync(SOFTWARE_DRIVER)) {
    process.env.VK_DRIVER_FILES = SOFTWARE_DRIVER;
    adapter = await request();
  }
  if (adapter === null) {
    throw new Error(
      `adapter=null (expected a Vulkan driver); without a graphics card: apt-get install chromium-common libvulkan1`,
    );
  }
  return { device: await adapter.requestDevice(), name: `${adapter.info.vendor} ${adapter.info.architecture}` };
}
