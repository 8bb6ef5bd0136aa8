// A WebGPU device in Node: Dawn, on whatever driver the machine has.

interface Dawn {
  create(options: string[]): GPU;
  readonly globals: object;
}

/** Opens a device; says what to install where there is none. */
export async function openDevice(): Promise<{ device: GPUDevice; name: string }> {
  const { create, globals } = (await import('webgpu' as string)) as Dawn;
  Object.assign(globalThis, globals);
  const adapter = await create([]).requestAdapter();
  if (adapter === null) {
    const driver = '/usr/lib/chromium/vk_swiftshader_icd.json';
    throw new Error(
      `adapter=null (expected a Vulkan driver); without a graphics card: apt-get install chromium-common libvulkan1, then set VK_DRIVER_FILES=${driver}`,
    );
  }
  return { device: await adapter.requestDevice(), name: `${adapter.info.vendor} ${adapter.info.architecture}` };
}
