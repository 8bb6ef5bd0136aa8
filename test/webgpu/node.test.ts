// The device suite in Node, on Dawn, and what only Node can show: workers that end, and that hold numbers alone.

import { PagePool } from 'pagepool';
import { testProvider } from 'pagepool/testing';
import { webgpu } from 'pagepool/webgpu';
import { describe, it } from 'vitest';
import { chooseSeed } from '../support/ports.js';
import { makeDevice, missingDevice } from '../support/webgpu.js';
import { suite } from './suite.js';

const missing = await missingDevice();
if (missing !== undefined) console.log(`no WebGPU in Node: ${missing}`);
const seed = chooseSeed('webgpu in Node');
const env = { PagePool, webgpu, testProvider, makeDevice, seed, takesSharedViews: false };

describe.skipIf(missing !== undefined)('WebGPU in Node', () => {
  it.each(suite.map(([name, run]) => [name, run] as const))('%s', async (_, run) => {
    await run(env);
  });
});
