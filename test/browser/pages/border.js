// The border in a page and in a worker: what capabilities() finds, and that what the helpers return is taken and right.

import { capabilities, decodeText, digest, sendable, toUnshared } from '../pagepool/border.js';
import { PagePool } from './both.js';
import { endPool } from './ending.js';
import { runWorker } from './threads.js';

/** Text whose characters lie across every border of a scratch, and the helpers on it. */
export async function tryHelpers(pool) {
  const text = '½€😀\0'.repeat(6000);
  const plain = new TextEncoder().encode(text);
  const fragment = pool.take(plain.length);
  fragment.bytes.set(plain);
  const same = (bytes) => bytes.length === plain.length && bytes.every((byte, i) => byte === plain[i]);
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', plain));
  // Before anything is known but what can be told at once; then after.
  const rounds = [];
  for (const isKnown of [false, true]) {
    const { views } = isKnown ? await capabilities() : {};
    const body = new Response(sendable(fragment, 'fetch body'));
    const blob = new Blob([sendable(fragment, 'Blob')]);
    const clone = structuredClone(sendable(fragment, 'structuredClone'));
    rounds.push({
      text: decodeText(fragment) === text,
      fatal: decodeText(fragment, { fatal: true }) === text,
      digest: (await digest(fragment)).every((byte, i) => byte === hash[i]),
      copy: same(toUnshared(fragment)),
      body: same(new Uint8Array(await body.arrayBuffer())),
      blob: same(new Uint8Array(await blob.arrayBuffer())),
      clone: same(clone),
      isRight:
        views === undefined ||
        Object.entries(views).every(
          ([api, { copies }]) => (sendable(fragment, api).buffer === fragment.bytes.buffer) === !copies,
        ),
    });
  }
  fragment.release();
  return rounds;
}

/** What was found, by verdict. */
export async function verdicts() {
  const { views, runtime, ...found } = await capabilities();
  const byVerdict = {};
  for (const [api, { verdict }] of Object.entries(views)) {
    byVerdict[verdict] ??= [];
    byVerdict[verdict].push(api);
  }
  return { ...found, runtime: runtime.name, ...byVerdict };
}

/** Sends a page over a WebSocket that echoes, by the helper, and tells what came back. */
async function echo(pool, url) {
  const socket = new WebSocket(url);
  socket.binaryType = 'arraybuffer';
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = reject;
  });
  const fragment = pool.take(1000);
  fragment.bytes.fill(7);
  const answer = new Promise((resolve) => {
    socket.onmessage = ({ data }) => resolve(new Uint8Array(data));
  });
  socket.send(sendable(fragment, 'WebSocket.send'));
  fragment.bytes.fill(8);
  fragment.release();
  const bytes = await answer;
  socket.close();
  return bytes.length === 1000 && bytes.every((byte) => byte === 7);
}

export async function border({ echoUrl }) {
  const pool = await PagePool.create({ pageBytes: 65536, pageCount: 8 });
  const rounds = await tryHelpers(pool);
  const isEchoed = echoUrl === undefined ? undefined : await echo(pool, echoUrl);
  const page = await verdicts();
  const worker = pool.mode === 'shared' ? await runWorker('border-worker.js', pool.share()) : undefined;
  return { mode: pool.mode, rounds, isEchoed, page, worker, end: await endPool(pool) };
}
