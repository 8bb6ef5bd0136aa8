// Measures what the worklet recorded: how loud it is, and how many times a second it swings. It collects eight blocks
// in a page of its own for that, which then goes to the scope.

import { attach } from '/pagepool/attach.js';

let workMs = 0;

self.onmessage = async ({ data: { share, label, rate } }) => {
  self.onmessage = ({ data }) => {
    workMs = data.workMs;
  };
  const pool = attach(share, { label });
  const scope = pool.channel('scope');
  let page = null; // what is collected, and how much
  let count = 0;
  let blocks = 0;
  let expected = 0;
  for await (const fragment of pool.channel('blocks')) {
    const until = performance.now() + workMs; // a worker that takes so long
    if (fragment.tag !== expected) count = 0; // blocks were lost: what is measured begins anew
    expected = fragment.tag + 1;
    page ??= pool.take(pool.pageBytes);
    if (page !== null) {
      const samples = samplesOf(page);
      samples.set(samplesOf(fragment), count);
      count += fragment.length / 4;
      if (count === samples.length) {
        self.postMessage({ ...measure(samples, rate), blocks });
        if (!scope.sendFragment(page)) page.release();
        page = null;
        count = 0;
      }
    }
    fragment.release();
    blocks++;
    while (performance.now() < until);
  }
  page?.release();
  pool.detach(); // the channel is closed and empty
  self.postMessage({ isDone: true, blocks });
};

function samplesOf({ bytes }) {
  return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
}

/** The peak, and the frequency by the first and the last time that it swings up through zero. */
function measure(samples, rate) {
  let [first, last, swings, peak] = [0, 0, 0, 0];
  for (let i = 1; i < samples.length; i++) {
    const [before, now] = [samples[i - 1], samples[i]];
    peak = Math.max(peak, Math.abs(now));
    if (before >= 0 || now < 0) continue;
    last = i - now / (now - before);
    if (swings++ === 0) first = last;
  }
  return { peak, frequency: swings > 1 ? ((swings - 1) * rate) / (last - first) : 0 };
}
