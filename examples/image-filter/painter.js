// Paints pictures into pages, 30 a second, as long as somebody takes them: a full channel makes it wait.

import { attach } from '/pagepool/attach.js';
import { BYTES, HEIGHT, WIDTH } from './filter.js';

const PICTURE_MS = 1000 / 30;
const canvas = new OffscreenCanvas(WIDTH, HEIGHT);
const context = canvas.getContext('2d', { alpha: false, willReadFrequently: true });
let isStopped = false;
let bitmap = null; // a picture that the user chose

self.onmessage = async ({ data: { share, label } }) => {
  self.onmessage = ({ data }) => {
    bitmap = data.bitmap ?? bitmap;
    isStopped ||= data.isStopped === true;
  };
  const pool = attach(share, { label });
  const pictures = pool.channel('pictures');
  let dueMs = performance.now();
  while (!isStopped) {
    const fragment = await pool.takeAsync(BYTES);
    paint(performance.now());
    fragment.bytes.set(context.getImageData(0, 0, WIDTH, HEIGHT).data);
    await pictures.sendAsync(fragment);
    dueMs = Math.max(dueMs + PICTURE_MS, performance.now());
    await new Promise((resolve) => setTimeout(resolve, dueMs - performance.now()));
  }
  pictures.close();
  pool.detach();
  self.postMessage('done');
};

function paint(ms) {
  if (bitmap === null) return paintShapes(ms / 1000);
  const zoom = 1.12 + 0.1 * Math.sin(ms / 3000);
  const scale = zoom * Math.max(WIDTH / bitmap.width, HEIGHT / bitmap.height);
  const [width, height] = [scale * bitmap.width, scale * bitmap.height];
  context.drawImage(bitmap, (WIDTH - width) / 2, (HEIGHT - height) / 2, width, height);
}

function paintShapes(s) {
  const sky = context.createLinearGradient(0, 0, WIDTH, HEIGHT);
  sky.addColorStop(0, `hsl(${200 + 30 * Math.sin(s / 3)} 60% 32%)`);
  sky.addColorStop(1, `hsl(${320 + 30 * Math.cos(s / 4)} 55% 38%)`);
  context.fillStyle = sky;
  context.fillRect(0, 0, WIDTH, HEIGHT);
  for (let i = 0; i < 7; i++) {
    const turn = s / 2 + (i * 2 * Math.PI) / 7;
    context.fillStyle = `hsl(${(i * 51 + 20 * s) % 360} 85% 62%)`;
    context.beginPath();
    const [x, y] = [WIDTH / 2 + 165 * Math.cos(turn), HEIGHT / 2 + 88 * Math.sin(turn)];
    if (i % 2 === 0) context.arc(x, y, 24 + 8 * Math.sin(2 * s + i), 0, 2 * Math.PI);
    else context.roundRect(x - 22, y - 22, 44, 44, 8);
    context.fill();
  }
  context.fillStyle = '#fdfdfd';
  context.font = '700 58px system-ui, sans-serif';
  context.textAlign = 'center';
  context.textBaseline = 'middle';
  context.fillText('pagepool', WIDTH / 2, HEIGHT / 2);
}
