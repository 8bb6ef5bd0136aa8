// The bytes of a window, made of its tag: a page that two have at once shows.

/** Fills the window. */
export function stamp(bytes: Uint8Array, tag: number): void {
  for (let i = 0; i < bytes.length; i++) bytes[i] = byteAt(tag, i);
}

/** Whether the window is as its tag says. */
export function isStamped(bytes: Uint8Array, tag: number): boolean {
  for (let i = 0; i < bytes.length; i++) if (bytes[i] !== byteAt(tag, i)) return false;
  return true;
}

function byteAt(tag: number, i: number): number {
  return (Math.imul(tag ^ (i >>> 2), 0x9e3779b1) >>> (8 * (i & 3))) & 0xff;
}
