// The processor: a block of samples is written into a page and sent on. Nothing in process() waits, or makes garbage.

import { WorkletPool } from '/pagepool/worklet.js';

class Recorder extends AudioWorkletProcessor {
  constructor({ processorOptions: { share } }) {
    super();
    this.pool = WorkletPool.attach(share, { label: 'audio thread' });
    this.blocks = this.pool.channel('blocks');
    this.isStopped = false;
    this.recorded = 0;
    this.lost = 0;
    this.port.onmessage = () => this.stop();
  }

  process(inputs, outputs) {
    const samples = inputs[0][0];
    if (this.isStopped) return false;
    if (samples === undefined) return true;
    outputs[0][0].set(samples);
    if (this.record(samples)) this.recorded++;
    else this.lost++; // this block is skipped, and sound goes on
    return true;
  }

  record(samples) {
    const page = this.pool.tryAlloc();
    if (page === 0) return false; // the pool is empty
    this.pool.write(page, samples);
    const isSent = this.blocks.trySend(page, 0, 4 * samples.length, this.recorded + this.lost);
    if (!isSent) this.pool.release(page); // closed: the reference is still ours
    return isSent;
  }

  stop() {
    if (this.isStopped) return;
    this.isStopped = true;
    this.blocks.close();
    this.pool.detach();
    this.port.postMessage({ recorded: this.recorded, lost: this.lost });
  }
}

registerProcessor('recorder', Recorder);
