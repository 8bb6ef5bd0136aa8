// What the tests of packets need: fragments of given bytes, a packet's bytes, and a pool of which nothing is out any
// more.

import type { Fragment, PagePool } from 'pagepool';
import type { Packet } from 'pagepool/packet';

/** A fragment of these bytes; in the middle of a larger one where `margin` is given. */
export function fragmentOf(pool: PagePool, bytes: Uint8Array | string, margin = 0): Fragment {
  const content = typeof bytes === 'string' ? Buffer.from(bytes) : bytes;
  const handle = pool.allocFragment(Math.max(1, content.length + 2 * margin));
  if (handle === 0) throw new Error('the pool is empty');
  const fragment = pool.fragment(handle, margin, content.length);
  fragment.bytes.set(content);
  return fragment;
}

/** A copy of the packet's bytes. */
export function bytesOf(packet: Packet): Buffer {
  const copy = Buffer.alloc(packet.length);
  packet.copyTo(copy);
  return copy;
}

/** The packet's bytes as text; the packet is released. */
export function textOf(packet: Packet): string {
  const text = bytesOf(packet).toString();
  packet.release();
  return text;
}
