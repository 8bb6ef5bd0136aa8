// The processor: a block of samples is written into a part of a page and sent on. Nothing in process() waits, or makes
// garbage.

import { WorkletPool } from '/pagepool/worklet.js';

class Recorder extends AudioWorkletProcessor {
  constructor({ processorOptions: { share, blocks } }) {
    super();
    this.pool = WorkletPool.attach(share);
    this.channel = this.pool.channel('blocks');
    this.left = blocks; // Firefox hands a processor no message once an offline context has rendered: it ends by itself
    this.recorded = 0;
    this.lost = 0;
  }

  process(inputs, outputs) {
    const samples = inputs[0][0];
    if (samples === undefined) return true;
    outputs[0][0].set(samples);
    if (this.record(samples)) this.recorded++;
    else this.lost++; // this block is skipped, and sound goes on
    if (--this.left > 0) return true;
    this.stop();
    return false;
  }

  record(samples) {
    const part = this.pool.tryAllocFragment(4 * samples.length);
    if (part === 0) return false; // the pool is empty
    this.pool.write(part, samples);
    const isSent = this.channel.trySend(part, 0, 4 * samples.length, this.recorded);
    if (!isSent) this.pool.release(part); // full: the reference is still ours
    return isSent;
  }

  stop() {
    this.channel.close();
    this.pool.detach();
    this.port.postMessage({ recorded: this.recorded, lost: this.lost });
  }
}

registerProcessor('recorder', Recorder);
