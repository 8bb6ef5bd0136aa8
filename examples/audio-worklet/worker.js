// Measures what the worklet recorded: how loud it is, and how many times a second it swings. The page of each block
// then goes on to the scope, as it is.

import { attach } from '/pagepool/attach.js';

let workMs = 0;

self.onmessage = async ({ data: { share, label, rate } }) => {
  self.onmessage = ({ data }) => {
    workMs = data.workMs;
  };
  const pool = attach(share, { label });
  const scope = pool.channel('scope');
  const samples = new Float32Array(1024); // eight blocks are measured at one time
  let count = 0;
  let blocks = 0;
  let expected = 0;
  for await (const fragment of pool.channel('blocks')) {
    const until = performance.now() + workMs; // a worker that takes so long
    if (fragment.tag !== expected) count = 0; // blocks were lost: what is measured begins anew
    expected = fragment.tag + 1;
    samples.set(samplesOf(fragment), count);
    count += fragment.length / 4;
    if (count === samples.length) {
      self.postMessage(measure(samples, rate));
      count = 0;
    }
    while (performance.now() < until);
    blocks++;
    if (!scope.sendFragment(fragment, fragment.tag)) fragment.release(); // closed: the reference is still ours
  }
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
