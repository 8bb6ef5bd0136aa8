// Streams, files, sockets and pictures: bytes into pages and out of pages, whole, and every page back however it ends.

import { Packet } from '../pagepool/packet.js';
import {
  copyFrame,
  copyImage,
  drawFrame,
  frameOf,
  messagesInto,
  readStreamInto,
  sendOver,
  toBitmap,
  toStream,
  uploadBuffer,
  uploadTexture,
} from '../pagepool/web.js';
import { turns, until } from '../support/waiting.js';
import { PagePool } from './both.js';
import { endPool, refusalOf } from './ending.js';
import { runWorker } from './threads.js';

const byteAt = (i) => (i * 7 + (i >> 8)) & 255;
const pattern = (length) => Uint8Array.from({ length }, (_, i) => byteAt(i));

/** Reads to the end, releases, and tells how many bytes came and whether each was right. */
async function drain(source, onFragment = () => {}) {
  let bytes = 0;
  let isRight = true;
  for await (const fragment of source) {
    fragment.bytes.forEach((byte, i) => {
      if (byte !== byteAt(bytes + i)) isRight = false;
    });
    bytes += fragment.length;
    fragment.release();
    onFragment(bytes);
  }
  return { bytes, isRight };
}

function releaseAll(fragments) {
  for (const fragment of fragments.splice(0)) fragment.release();
}

function streamOf(chunks, type) {
  let at = 0;
  return new ReadableStream({
    type,
    pull(controller) {
      const length = chunks.shift();
      if (length === undefined) {
        controller.close();
        controller.byobRequest?.respond(0);
        return;
      }
      if (length === 'fail') throw new Error('the source failed');
      const chunk = Uint8Array.from({ length }, (_, i) => byteAt(at + i));
      at += length;
      controller.enqueue(chunk);
    },
  });
}

export async function streams({ bodyBytes }) {
  const pool = await PagePool.create({ pageBytes: 4096, pageCount: 8, channels: { work: {} } });
  const results = {};
  const body = async () => (await fetch('/body')).body;
  results.body = await drain(readStreamInto(pool, await body()));
  results.isWhole = results.body.bytes === bodyBytes;
  results.bytes = await drain(readStreamInto(pool, streamOf([1, 4096, 9000, 3], 'bytes')));
  results.chunks = await drain(readStreamInto(pool, streamOf([1, 4096, 9000, 3]), { chunkBytes: 1000 }));
  // The buffer that goes round keeps its size, whatever came in it.
  const asked = new Set();
  let parts = 5;
  const filling = new ReadableStream({
    type: 'bytes',
    pull(controller) {
      const { byobRequest } = controller;
      asked.add(byobRequest.view.byteLength);
      if (parts-- > 0) {
        byobRequest.view[0] = byteAt(4 - parts);
        byobRequest.respond(1);
      } else {
        controller.close();
        byobRequest.respond(0);
      }
    },
  });
  results.recycled = { ...(await drain(readStreamInto(pool, filling))), asked: [...asked] };
  // A consumer that holds everything stops the source; releasing goes on.
  const held = [];
  let isPaused = false;
  for await (const fragment of readStreamInto(pool, streamOf(Array(20).fill(4096)))) {
    held.push(fragment);
    if (held.length === 8) {
      isPaused = pool.take() === null;
      void turns(3).then(() => releaseAll(held));
    }
  }
  releaseAll(held);
  results.isPaused = isPaused;
  // Whatever ends a loop, the stream ends with it.
  for await (const fragment of readStreamInto(pool, await body())) {
    fragment.release();
    break;
  }
  const controller = new AbortController();
  results.aborted = await drain(readStreamInto(pool, await body(), { signal: controller.signal }), () =>
    controller.abort(new Error('enough')),
  ).catch(({ message }) => message);
  const idle = new AbortController();
  const idling = drain(readStreamInto(pool, new ReadableStream({ type: 'bytes' }), { signal: idle.signal })).catch(
    ({ message }) => message,
  );
  await turns(3);
  idle.abort(new Error('too long'));
  results.idle = await idling;
  results.failed = await drain(readStreamInto(pool, streamOf([5, 'fail']))).catch(({ message }) => message);
  const all = Array.from({ length: 8 }, () => pool.take());
  results.late = await refusalOf(() => drain(readStreamInto(pool, streamOf([5]), { timeoutMs: 20 })));
  results.late = results.late.code;
  for (const page of all) page.release();
  results.text = await refusalOf(() =>
    drain(readStreamInto(pool, new Response('x').body.pipeThrough(new TextDecoderStream()))),
  );
  results.text = results.text.code;
  const locked = new Response('x').body;
  locked.getReader();
  results.locked = (await refusalOf(() => readStreamInto(pool, locked))).code;

  // Pages as a body.
  const work = pool.channel('work');
  const put = (from, length) => {
    const fragment = pool.take(length);
    fragment.bytes.forEach((_, i) => {
      fragment.bytes[i] = byteAt(from + i);
    });
    return fragment;
  };
  work.sendFragment(put(0, 1000));
  work.sendFragment(put(1000, 3000));
  work.close();
  const out = new Uint8Array(await new Response(toStream(work)).arrayBuffer());
  results.out = out.length === 4000 && out.every((byte, i) => byte === byteAt(i));
  const packet = new Packet().append(put(0, 10)).append(put(10, 10));
  const reader = toStream([packet, put(20, 5)]).getReader();
  results.packet = (await reader.read()).value.every((byte, i) => byte === byteAt(i));
  await reader.read();
  let ended = 0;
  async function* endless() {
    try {
      for (;;) yield put(0, 10);
    } finally {
      ended++;
    }
  }
  const cancelled = toStream(endless());
  const its = cancelled.getReader();
  await its.read();
  await its.cancel();
  results.isCancelled = ended === 1;
  return { ...results, end: await endPool(pool) };
}

export async function files() {
  const pool = await PagePool.create({ pageBytes: 4096, pageCount: 8 });
  const found = await runWorker('web-file-worker.js', pool.share());
  return { found, end: await endPool(pool) };
}

export async function sockets({ echoUrl }) {
  const pool = await PagePool.create({ pageBytes: 4096, pageCount: 16 });
  const open = async () => {
    const socket = new WebSocket(echoUrl);
    await new Promise((resolve, reject) => {
      socket.onopen = resolve;
      socket.onerror = reject;
    });
    return socket;
  };
  const results = {};
  const socket = await open();
  const messages = messagesInto(pool, socket);
  const fragment = pool.take(1000);
  fragment.bytes.set(pattern(1000));
  const packet = new Packet();
  for (const [from, length] of [
    [0, 4096],
    [4096, 4096],
    [8192, 900],
  ]) {
    const part = pool.take(length);
    part.bytes.forEach((_, i) => {
      part.bytes[i] = byteAt(from + i);
    });
    packet.append(part);
  }
  results.sent = [sendOver(socket, fragment), sendOver(socket, packet)];
  socket.send('½');
  const came = [];
  for (let i = 0; i < 3; i++) {
    const { value } = await messages.next();
    const bytes = value.toBuffers().flatMap((view) => [...view]);
    came.push({ bytes: bytes.length, parts: value.parts, isRight: bytes.every((byte, at) => byte === byteAt(at)) });
    value.release();
  }
  results.came = came;
  const kept = pool.take(10);
  socket.send(new Uint8Array(4));
  results.isRefused = !sendOver(socket, kept, { maxBufferedBytes: 0 });
  await messages.return();
  await until(() => socket.readyState >= 2);
  results.isClosed = true;
  results.notOpen = sendOver(socket, kept);
  kept.release();
  // Too much that nobody takes.
  const full = await open();
  const queued = messagesInto(pool, full, { maxQueuedBytes: 1500 });
  let arrived = 0;
  const allArrived = new Promise((resolve) => {
    full.addEventListener('message', () => ++arrived === 2 && resolve()); // which is too much, so it is the last
  });
  for (let i = 0; i < 3; i++) full.send(new Uint8Array(1000));
  await allArrived;
  results.full = await refusalOf(async () => {
    for await (const message of queued) message.release();
  }).then(({ code }) => code);
  // Too much that nobody even asks for: the socket is closed.
  const unread = await open();
  messagesInto(pool, unread, { maxQueuedBytes: 100 });
  const isOver = new Promise((resolve) => unread.addEventListener('close', resolve, { once: true }));
  unread.send(new Uint8Array(1000));
  await isOver;
  results.unread = unread.readyState === 3;
  // What came before the connection broke is handed over first.
  const breaking = await open();
  const last = messagesInto(pool, breaking);
  const isBroken = new Promise((resolve) => breaking.addEventListener('close', resolve, { once: true }));
  breaking.send('break');
  await isBroken;
  const heard = [];
  const { message: error } = await refusalOf(async () => {
    for await (const message of last) {
      heard.push(message.length);
      message.release();
    }
  });
  results.broken = { came: heard, error };
  // No pages for it.
  const starved = await open();
  const all = Array.from({ length: 15 }, () => pool.take());
  const waiting = messagesInto(pool, starved, { timeoutMs: 30 });
  starved.send(new Uint8Array(10000));
  results.starved = await refusalOf(async () => {
    for await (const message of waiting) message.release();
  }).then(({ code }) => code);
  for (const page of all) page.release();
  results.wrong = await refusalOf(() => messagesInto(pool, {})).then(({ code }) => code);
  return { ...results, end: await endPool(pool) };
}

export async function pictures() {
  const pool = await PagePool.create({ pageBytes: 4096, pageCount: 8 });
  const canvas = new OffscreenCanvas(8, 8);
  const context = canvas.getContext('2d');
  context.fillStyle = '#ff0000';
  context.fillRect(0, 0, 8, 8);
  context.fillStyle = '#0000ff';
  context.fillRect(4, 0, 4, 8);
  const bitmap = await createImageBitmap(canvas);
  const results = {};
  for (const [name, source] of Object.entries({ canvas, bitmap })) {
    const fragment = await copyImage(pool, source, { timestamp: 9 });
    const { width, height, timestamp } = frameOf(fragment);
    const target = new OffscreenCanvas(8, 8).getContext('2d');
    drawFrame(target, fragment);
    const made = await toBitmap(fragment);
    const other = new OffscreenCanvas(8, 8).getContext('2d');
    other.drawImage(made, 0, 0);
    fragment.release();
    const colors = [target, other].map((one) =>
      [1, 6].map((x) => [...one.getImageData(x, 1, 1, 1).data].map((value) => Math.round(value / 255)).join('')),
    );
    results[name] = { size: [width, height, timestamp], drawn: colors[0], bitmap: colors[1] };
    made.close();
  }
  bitmap.close();
  results.gl = await textures(pool);
  results.wrong = await refusalOf(() => copyImage(pool, 7)).then(({ code }) => code);
  results.noImage = await refusalOf(() => copyImage(pool, {})).then(({ code, message }) => code ?? typeof message);
  return { ...results, end: await endPool(pool) };
}

/** An RGBA and an I420 frame as textures, read back; undefined without WebGL. */
async function textures(pool) {
  const gl = new OffscreenCanvas(4, 4).getContext('webgl2');
  if (gl === null) return undefined;
  const pixels = pattern(64);
  for (let i = 3; i < 64; i += 4) pixels[i] = 255;
  const shown = [];
  const gray = new Uint8Array(24).fill(128);
  const frames = [
    new VideoFrame(pixels, { format: 'RGBA', codedWidth: 4, codedHeight: 4, timestamp: 0 }),
    new VideoFrame(gray, { format: 'I420', codedWidth: 4, codedHeight: 4, timestamp: 0 }),
  ];
  for (const frame of frames) {
    const fragment = await copyFrame(pool, frame);
    const texture = gl.createTexture();
    gl.bindTexture(gl.TEXTURE_2D, texture);
    uploadTexture(gl, fragment);
    fragment.bytes.fill(0);
    fragment.release();
    gl.bindFramebuffer(gl.FRAMEBUFFER, gl.createFramebuffer());
    gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, texture, 0);
    const read = new Uint8Array(64);
    gl.readPixels(0, 0, 4, 4, gl.RGBA, gl.UNSIGNED_BYTE, read);
    shown.push(read);
    frame.close();
  }
  gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
  const fragment = pool.take(64);
  fragment.bytes.set(pixels);
  uploadBuffer(gl, gl.ARRAY_BUFFER, fragment, gl.STATIC_DRAW);
  fragment.release();
  const buffer = new Uint8Array(64);
  gl.getBufferSubData(gl.ARRAY_BUFFER, 0, buffer);
  return {
    rgba: shown[0].every((byte, i) => byte === pixels[i]),
    gray: shown[1].every((byte, i) => (i % 4 === 3 ? byte === 255 : Math.abs(byte - 130) < 8)),
    buffer: buffer.every((byte, i) => byte === pixels[i]),
  };
}
