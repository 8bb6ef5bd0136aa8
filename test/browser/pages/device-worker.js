// A thread of the device suite in a page: it holds numbers.

import { webgpu } from '../pagepool/webgpu.js';
import { holdNumbers } from '../webgpu/thread.js';
import { PagePool } from './both.js';

const makeDevice = async () => (await navigator.gpu.requestAdapter()).requestDevice();

addEventListener('message', async ({ data: { share } }) => {
  postMessage(await holdNumbers({ PagePool, webgpu, makeDevice }, share));
});
