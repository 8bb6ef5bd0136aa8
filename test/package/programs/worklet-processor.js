// The processor of worklet-page.js: block number i has i in each sample.

import { WorkletPool } from 'pagepool/worklet';

class Numbers extends AudioWorkletProcessor {
  constructor({ processorOptions: { share, blocks } }) {
    super();
    this.pool = WorkletPool.attach(share);
    this.channel = this.pool.channel('blocks');
    this.samples = new Float32Array(128);
    this.blocks = blocks;
    this.block = 0;
  }

  process() {
    const part = this.pool.tryAllocFragment(512);
    if (part !== 0) {
      this.pool.write(part, this.samples.fill(this.block));
      if (!this.channel.trySend(part, 0, 512)) this.pool.release(part);
    }
    if (++this.block < this.blocks) return true;
    this.channel.close();
    this.pool.detach();
    return false;
  }
}

registerProcessor('numbers', Numbers);
