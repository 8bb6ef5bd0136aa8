// The processor: attaches with what processorOptions bring, never waits, and leaves the pool after its last block.

import { PagePool } from './both.js';
import { Stamper } from './stamp.js';

class Stamps extends AudioWorkletProcessor {
  constructor({ processorOptions: { share, engine, seed, blocks } }) {
    super();
    this.pool = PagePool.attach({ ...share, engine }, { label: 'worklet' });
    this.fromPage = this.pool.channel('toWorklet');
    this.toPage = this.pool.channel('toPage');
    this.stamper = new Stamper(this.pool, seed);
    this.entry = this.pool.words(4);
    this.blocks = blocks;
    this.block = 0;
    this.total = { engine: this.pool.engine, received: 0, sent: 0, torn: 0 };
  }

  process() {
    if (this.fromPage.receiveBurst(this.entry, 1) === 1) {
      const [handle, , length, tag] = this.entry;
      if (!this.stamper.isWhole(handle, length, tag)) this.total.torn++;
      this.pool.release(handle);
      this.total.received++;
    }
    const handle = this.pool.alloc();
    if (handle !== 0) {
      this.stamper.write(handle, 512, this.blocks + this.block);
      if (this.toPage.send(handle, 0, 512, this.block)) this.total.sent++;
      else this.pool.release(handle);
    }
    if (++this.block < this.blocks) return true;
    this.toPage.close();
    this.pool.detach();
    this.port.postMessage(this.total);
    return false;
  }
}

registerProcessor('stamps', Stamps);
