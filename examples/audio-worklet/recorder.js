// The processor: a block of samples is written into a part of a page and sent on. Nothing in process() waits, or makes
// garbage.

import { WorkletPool } from '/pagepool/worklet.js';

class Recorder extends AudioWorkletProcessor {
  constructor({ processorOptions: { share } }) {
    super();
    this.pool = WorkletPool.attach(share);
    this.blocks = this.pool.channel('blocks');
    this.recorded = 0;
    this.lost = 0;
    this.isOver = false;
    this.port.onmessage = () => this.stop();
  }

  process(inputs, outputs) {
    const samples = inputs[0][0];
    if (this.isOver || samples === undefined) return !this.isOver;
    outputs[0][0].set(samples);
    const part = this.pool.tryAllocFragment(4 * samples.length);
    if (part === 0) {
      this.lost++; // the pool is empty: this block is skipped, and sound goes on
      return true;
    }
    this.pool.write(part, samples);
    if (this.blocks.trySend(part, 0, 4 * samples.length, this.recorded)) {
      this.recorded++;
    } else {
      this.pool.release(part); // full: the reference is still ours
      this.lost++;
    }
    return true;
  }

  stop() {
    this.isOver = true;
    this.blocks.close();
    this.pool.detach();
    this.port.postMessage({ recorded: this.recorded, lost: this.lost });
  }
}

registerProcessor('recorder', Recorder);
