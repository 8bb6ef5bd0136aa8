// The processor: plays what came, gives it back doubled, then fills the pool and a channel, and meets a closed one.

import '../pagepool/typescript.js'; // the pool's engine may be that one
import { WorkletPool } from '../pagepool/worklet.js';

class Try extends AudioWorkletProcessor {
  constructor({ processorOptions: { share, blocks } }) {
    super();
    this.pool = WorkletPool.attach(share);
    this.in = this.pool.channel('out');
    this.out = this.pool.channel('back');
    this.full = this.pool.channel('full');
    this.samples = new Float32Array(128);
    this.blocks = blocks;
    this.block = 0;
    this.report = { received: 0, engine: this.pool.engine };
  }

  process(_, outputs) {
    const output = outputs[0][0];
    if (this.in.tryReceive()) {
      const { handle, length, tag } = this.in;
      this.pool.read(handle, output);
      for (let i = 0; i < 128; i++) this.samples[i] = 2 * output[i];
      this.pool.write(handle, this.samples);
      if (!this.out.trySend(handle, 0, length, tag)) this.pool.release(handle);
      this.report.received++;
    }
    if (++this.block < this.blocks) return true;
    this.finish();
    return false;
  }

  finish() {
    const { pool, full, out, report } = this;
    report.isEmpty = !this.in.tryReceive();
    const held = [];
    for (let page = pool.tryAlloc(); page !== 0; page = pool.tryAlloc()) held.push(page);
    report.pages = held.length;
    report.noFragment = pool.tryAllocFragment(100);
    report.sends = [full.trySend(held[0], 0, 4), full.trySend(held[1], 0, 4)];
    report.codes = [
      () => pool.write(held[1], this.samples, 1000),
      () => pool.read(held[1], this.samples, -1),
      () => pool.write(7, this.samples),
      () => full.trySend(held[1], 0, 5000),
      () => pool.tryAllocFragment(5000),
    ].map((call) => {
      try {
        call();
        return 'none';
      } catch ({ code }) {
        return code;
      }
    });
    out.close();
    report.closed = [out.trySend(held[1], 0, 4), out.isClosed];
    pool.poll();
    pool.detach();
    report.gone = [pool.tryAlloc(), out.trySend(held[1], 0, 4), this.in.tryReceive()];
    pool.write(held[1], this.samples);
    this.samples.fill(1);
    pool.read(held[1], this.samples);
    pool.release(held[1]);
    report.silence = [this.samples[0], this.samples[127]];
    this.port.postMessage(report);
  }
}

registerProcessor('try', Try);
