// What stands for a camera: pictures that are drawn, encoded and decoded, so that frames come from a real decoder, at
// its pace.
//
// A MediaStreamTrackProcessor gives the same VideoFrames from a real one.

const CODEC = 'vp8';
const WIDTH = 320;
const HEIGHT = 180;

/** What its decoder is configured with. */
export const camera = { codec: CODEC, codedWidth: WIDTH, codedHeight: HEIGHT };

/** How bright picture number `i` is, 16 to 235 as video has it. */
export function brightnessOf(i) {
  return 40 + ((i * 37) % 160);
}

/** Decodes `count` pictures, 10 ms apart; `onFrame` has to close each. */
export async function record(count, onFrame) {
  const decoder = new VideoDecoder({ output: onFrame, error: (error) => reportError(error) });
  decoder.configure(camera);
  const encoder = new VideoEncoder({
    output: (chunk) => decoder.decode(chunk),
    error: (error) => reportError(error),
  });
  encoder.configure({ codec: CODEC, width: WIDTH, height: HEIGHT, bitrate: 2_000_000, latencyMode: 'realtime' });
  for (let i = 0; i < count; i++) {
    const picture = new Uint8Array((WIDTH * HEIGHT * 3) / 2).fill(128);
    picture.fill(brightnessOf(i), 0, WIDTH * HEIGHT);
    const init = { format: 'I420', codedWidth: WIDTH, codedHeight: HEIGHT, timestamp: i * 1000 };
    const frame = new VideoFrame(picture, init);
    encoder.encode(frame, { keyFrame: i % 30 === 0 });
    frame.close();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  await encoder.flush();
  await decoder.flush();
  encoder.close();
  decoder.close();
}
