// The device suite in a page, on the browser's own WebGPU: one case each call.

import * as packet from '../pagepool/packet.js';
import { testProvider } from '../pagepool/testing.js';
import { webgpu } from '../pagepool/webgpu.js';
import { suite } from '../webgpu/suite.js';
import { PagePool } from './both.js';
import { runWorker } from './threads.js';

/** Runs one check; rejects with what it finds wrong. */
export async function device({ name, seed }) {
  const check = suite.find(([each]) => each === name);
  await check[1]({ PagePool, webgpu, testProvider, packet, makeDevice, seed, takesSharedViews: true, runThread });
  return 'passed';
}

async function makeDevice() {
  const adapter = await navigator.gpu?.requestAdapter();
  if (!adapter) throw new Error('no WebGPU adapter');
  return adapter.requestDevice();
}

function runThread(share) {
  return runWorker('device-worker.js', { share });
}
