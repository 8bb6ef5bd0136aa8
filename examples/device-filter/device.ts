// A WebGPU device in Node: Dawn, on whatever driver the machine has.

interface Dawn {
  create(options: string[]): GPU;
  readonly globals: object;
}

/** Dawn's instance, kept: its adapters and devices do not keep it, and end the process without it. */
let instance: GPU | undefined;

/** Opens a device; says what to install where there is none. */
export async function openDevice(): Promise<{ device: GPUDevice; name: string }> {
  const { create, globals } = (await import('webgpu' as string)) as Dawn;
  Object.assign(globalThis, globals);
  instance = create([]);
  const adapter = await instance.requestAdapter();
  if (adapter === null) {
    const driver = '/usr/lib/chromium/vk_swiftshader_icd.json';
    throw new Error(
      `adapter=null (expected a Vulkan driver); without a graphics card: apt-get install chromium-common libvulkan1, then set VK_DRIVER_FILES=${driver}`,
    );
  }
  return { device: await adapter.requestDevice(), name: `${adapter.info.vendor} ${adapter.info.architecture}` };
}
