// What stands for a camera: a ball over hills, drawn, encoded and decoded, so that frames come from a real decoder at
// its pace. Where the browser encodes no video, the frames are those of the canvas. And the user's own camera.

const WIDTH = 640;
const HEIGHT = 360;
/** Of the ball. */
export const RADIUS = 28;
const GROUND = 300;
const FRAME_MS = 1000 / 30;
const SETTINGS = { codec: 'vp8', width: WIDTH, height: HEIGHT, bitrate: 4_000_000, latencyMode: 'realtime' };

/** Where the ball of the drawn camera is at a time, in milliseconds. */
function ballAt(ms) {
  const span = WIDTH - 120;
  const way = (ms * 0.24) % (2 * span);
  return {
    x: 60 + (way < span ? way : 2 * span - way),
    y: GROUND - RADIUS - 190 * Math.abs(Math.sin(ms / 560)),
  };
}

/**
 * The drawn camera: `config` says what its frames are, for `pagesFor`, and `start(onFrame)` begins to give them; who
 * gets a frame has to close it. `timestamp` is when it was drawn, in microseconds of this page.
 */
export async function openCamera(onError) {
  const isEncoded =
    typeof VideoEncoder === 'function' && (await VideoEncoder.isConfigSupported(SETTINGS)).supported === true;
  const config = { codedWidth: WIDTH, codedHeight: HEIGHT };
  if (!isEncoded) return { ...camera(throughCanvas), config, kind: 'frames of a canvas: no video encoder here' };
  const decoded = { ...config, codec: SETTINGS.codec };
  return { ...camera((onFrame) => throughDecoder(onFrame, decoded, onError)), config: decoded, kind: 'VP8, decoded' };
}

/** The user's camera, with the same calls; the browser asks whether it may be used. */
export async function openUserCamera() {
  const video = { width: WIDTH, height: HEIGHT };
  const stream = await navigator.mediaDevices.getUserMedia({ video }).catch(({ message }) => {
    throw new Error(`The camera cannot be used: ${message}`);
  });
  const screen = Object.assign(document.createElement('video'), { srcObject: stream, muted: true, playsInline: true });
  await screen.play();
  const first = new VideoFrame(screen, { timestamp: 0 });
  const { codedWidth, codedHeight, format } = first;
  first.close();
  let next;
  const shoot = (onFrame) => {
    onFrame(new VideoFrame(screen, { timestamp: Math.round(1000 * performance.now()) }));
    next = screen.requestVideoFrameCallback(() => shoot(onFrame));
  };
  return {
    config: { codedWidth, codedHeight, ...(format && { format }) }, // some frames have no format that is told
    kind: `your camera, ${codedWidth} × ${codedHeight}`,
    start: shoot,
    stop: async () => {
      screen.cancelVideoFrameCallback(next);
      for (const track of stream.getTracks()) track.stop();
    },
  };
}

function camera(open) {
  let stream;
  let timer;
  const scene = new Scene();
  return {
    ballAt,
    start: (onFrame) => {
      stream = open(onFrame);
      let dueMs = performance.now();
      const shoot = () => {
        const nowMs = performance.now();
        stream.push(new VideoFrame(scene.draw(nowMs), { timestamp: Math.round(1000 * nowMs), alpha: 'discard' }));
        dueMs = Math.max(dueMs + FRAME_MS, nowMs);
        timer = setTimeout(shoot, dueMs - performance.now());
      };
      shoot();
    },
    stop: async () => {
      clearTimeout(timer);
      await stream.end();
    },
  };
}

function throughCanvas(onFrame) {
  return { push: onFrame, end: async () => {} };
}

function throughDecoder(onFrame, config, onError) {
  const decoder = new VideoDecoder({ output: onFrame, error: onError });
  decoder.configure({ ...config, optimizeForLatency: true });
  const encoder = new VideoEncoder({ output: (chunk) => decoder.decode(chunk), error: onError });
  encoder.configure(SETTINGS);
  let count = 0;
  return {
    push: (frame) => {
      // An encoder that is behind gets no more to do: a real camera would leave frames out as well.
      if (encoder.encodeQueueSize < 3) encoder.encode(frame, { keyFrame: count++ % 60 === 0 });
      frame.close();
    },
    end: async () => {
      await encoder.flush();
      await decoder.flush();
      encoder.close();
      decoder.close();
    },
  };
}

class Scene {
  #canvas = new OffscreenCanvas(WIDTH, HEIGHT);
  #context = this.#canvas.getContext('2d', { alpha: false });
  #behind = drawHills();

  draw(ms) {
    const context = this.#context;
    const { x, y } = ballAt(ms);
    context.drawImage(this.#behind, 0, 0);
    const isNear = (GROUND - y) / 220;
    context.fillStyle = `rgb(0 0 0 / ${0.45 - 0.3 * isNear})`;
    context.beginPath();
    context.ellipse(x, GROUND + 4, RADIUS * (1 - 0.3 * isNear), 6, 0, 0, 2 * Math.PI);
    context.fill();
    const shade = context.createRadialGradient(x - 9, y - 11, 4, x, y, RADIUS);
    shade.addColorStop(0, '#fff6d8');
    shade.addColorStop(0.5, '#ffc94d');
    shade.addColorStop(1, '#e58a1f');
    context.fillStyle = shade;
    context.beginPath();
    context.arc(x, y, RADIUS, 0, 2 * Math.PI);
    context.fill();
    return this.#canvas;
  }
}

function drawHills() {
  const canvas = new OffscreenCanvas(WIDTH, HEIGHT);
  const context = canvas.getContext('2d', { alpha: false });
  const sky = context.createLinearGradient(0, 0, 0, HEIGHT);
  sky.addColorStop(0, '#14213d');
  sky.addColorStop(0.7, '#4d4a78');
  sky.addColorStop(1, '#8a5a78');
  context.fillStyle = sky;
  context.fillRect(0, 0, WIDTH, HEIGHT);
  for (const [height, wave, color] of [
    [60, 90, '#2c2f5a'],
    [30, 55, '#222549'],
  ]) {
    context.fillStyle = color;
    context.beginPath();
    context.moveTo(0, HEIGHT);
    for (let x = 0; x <= WIDTH; x += 4) {
      context.lineTo(x, GROUND - height - 18 * Math.sin(x / wave) - 8 * Math.sin(x / 23 + wave));
    }
    context.lineTo(WIDTH, HEIGHT);
    context.fill();
  }
  context.fillStyle = '#191b38';
  context.fillRect(0, GROUND, WIDTH, HEIGHT - GROUND);
  return canvas;
}
