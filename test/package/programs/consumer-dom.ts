// What the types say where DOM or Node's types are there: the platform's own signals, modules, memories and `using`.

import { PagePool, type PoolShare, type WaitOptions } from 'pagepool';
import { sendable } from 'pagepool/border';
import { mountInspector } from 'pagepool/inspector-page';
import { lines, Packet, packets } from 'pagepool/packet';
import {
  copyFrame,
  copyImage,
  drawFrame,
  messagesInto,
  pagesFor,
  readStreamInto,
  toBitmap,
  toStream,
  toVideoFrame,
  uploadBuffer,
  uploadTexture,
  workletUrl,
} from 'pagepool/web';

export async function use(module: WebAssembly.Module, signal: AbortSignal): Promise<void> {
  const wait: WaitOptions = { signal };
  await using pool = await PagePool.create({ module, channels: { work: {} } });
  using fragment = await pool.takeAsync(100, wait);
  using packet = new Packet().append(fragment.retain());
  for await (using line of lines(packets(pool.channel('work')))) packet.append(line);
  const share: PoolShare = pool.share();
  const compiled: WebAssembly.Module | undefined = share.module;
  const memory: WebAssembly.Memory | SharedArrayBuffer = share.memory;
  fragment.bytes.fill(compiled === module && 'buffer' in memory ? 1 : 0);
  // @ts-expect-error a signal is more than a flag
  await pool.takeAsync(100, { signal: { aborted: false } });
}

export async function useWeb(
  pool: PagePool,
  frame: VideoFrame,
  socket: WebSocket,
  canvas: HTMLCanvasElement,
): Promise<void> {
  using fragment = await copyFrame(pool, frame, { format: 'RGBA' });
  using picture = await copyImage(pool, canvas);
  if (fragment === null || picture === null) return;
  const shown: VideoFrame = toVideoFrame(fragment);
  shown.close();
  const bitmap: ImageBitmap = await toBitmap(picture);
  bitmap.close();
  const context = canvas.getContext('2d');
  if (context !== null) drawFrame(context, fragment);
  const gl = canvas.getContext('webgl2');
  if (gl !== null) {
    uploadTexture(gl, fragment);
    uploadTexture(gl, fragment, { level: 1, at: { x: 0, y: 0 }, flipY: true, premultiplyAlpha: true });
    uploadBuffer(gl, gl.ARRAY_BUFFER, fragment, gl.STATIC_DRAW);
  }
  const decoder: VideoDecoderConfig & { codedWidth: number; codedHeight: number } = {
    codec: 'vp8',
    codedWidth: 320,
    codedHeight: 180,
    hardwareAcceleration: 'prefer-software',
  };
  await PagePool.create({ pageBytes: await pagesFor(decoder) });
  await pagesFor({ codedWidth: 320, codedHeight: 180, format: 'I420' });
  const url: string = workletUrl(() => new Worker(new URL('processor.js', location.href), { type: 'module' }));
  await new AudioContext().audioWorklet.addModule(url);
  const response = await fetch('/', { method: 'POST', body: sendable(fragment, 'fetch body') });
  if (response.body !== null) for await (using part of readStreamInto(pool, response.body)) part.bytes.fill(0);
  const stream: ReadableStream<Uint8Array> = toStream(pool.channel('work'));
  new Response(stream as ReadableStream);
  for await (using message of messagesInto(pool, socket)) message.getUint8(0);
  mountInspector(document.body, pool).unmount();
  // @ts-expect-error an image is no frame
  await copyFrame(pool, bitmap);
}
