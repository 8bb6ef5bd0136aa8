// Edges of a picture, mixed with the picture, in whole numbers: on the device and on the processor, to the same bit.

export const WIDTH = 480;
export const HEIGHT = 270;
/** Red, green, blue and alpha of each pixel. */
export const BYTES = 4 * WIDTH * HEIGHT;
/** Strength of the filter: 0 is the picture, 256 the edges alone. */
export const FULL = 256;

/** How far what is left and right of a pixel differs, and what is above and below: Sobel's operator. */
const edge = (p, at, up, down) => {
  const [nw, ne, sw, se] = [p[up - 4], p[up + 4], p[down - 4], p[down + 4]];
  const across = ne + 2 * p[at + 4] + se - nw - 2 * p[at - 4] - sw;
  const along = sw + 2 * p[down] + se - nw - 2 * p[up] - ne;
  return Math.min(255, Math.abs(across) + Math.abs(along));
};

/** Filters on the processor. The outermost pixels are kept as they are. */
export function filterHere(picture, output, strength) {
  const row = 4 * WIDTH;
  output.set(picture.subarray(0, row));
  output.set(picture.subarray(BYTES - row, BYTES), BYTES - row);
  for (let y = 1; y < HEIGHT - 1; y++) {
    for (let at = y * row; at < (y + 1) * row; at++) {
      const x = (at - y * row) >> 2;
      if (x === 0 || x === WIDTH - 1 || (at & 3) === 3) output[at] = picture[at];
      else output[at] = (picture[at] * (FULL - strength) + edge(picture, at, at - row, at + row) * strength) >> 8;
    }
  }
}

// The same for the device: one invocation makes one pixel. Both bindings can be written: pages of one buffer may not be
// read-only here and written there in one dispatch.
export const SHADER = `
@group(0) @binding(0) var<storage, read_write> picture: array<u32>;
@group(0) @binding(1) var<storage, read_write> filtered: array<u32>;
@group(0) @binding(2) var<uniform> strength: u32;
const WIDTH = ${WIDTH}u;
const HEIGHT = ${HEIGHT}u;

fn colours(at: u32) -> vec4i {
  let pixel = picture[at];
  return vec4i(vec4u(pixel, pixel >> 8u, pixel >> 16u, pixel >> 24u) & vec4u(255u));
}

@compute @workgroup_size(8, 8) fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= WIDTH || id.y >= HEIGHT) { return; }
  let at = id.y * WIDTH + id.x;
  filtered[at] = picture[at];
  if (id.x == 0u || id.y == 0u || id.x == WIDTH - 1u || id.y == HEIGHT - 1u) { return; }
  let up = at - WIDTH;
  let down = at + WIDTH;
  let nw = colours(up - 1u);
  let ne = colours(up + 1u);
  let sw = colours(down - 1u);
  let se = colours(down + 1u);
  let across = ne + 2 * colours(at + 1u) + se - nw - 2 * colours(at - 1u) - sw;
  let along = sw + 2 * colours(down) + se - nw - 2 * colours(up) - ne;
  let edge = min(vec4i(255), abs(across) + abs(along));
  let mixed = vec4u((colours(at) * i32(${FULL}u - strength) + edge * i32(strength)) >> vec4u(8u));
  filtered[at] = mixed.x | (mixed.y << 8u) | (mixed.z << 16u) | (picture[at] & 0xff000000u);
}`;
