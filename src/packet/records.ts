// records: what a RecordWriter packed, one by one.
//
// A message's tag is how many records it has. One: its bytes are the record, over however many pages. Several: they
// lie in one window, and behind it in the same page stands the table of their lengths (record-writer.ts).

import { callError, invalidArgument, type PagePoolError } from '../errors.js';
import { type Fragment, isFragment, portOfFragment } from '../pool/fragment.js';
import { fragmentView } from '../port/handles.js';
import type { Port } from '../port/port.js';
import { isPacket, type Packet, partsOf, portOfPacket } from './packet.js';

const WORD_BYTES = 4;

/**
 * The records of one message of a `RecordWriter`, in the order in which they were written. Each is a view of the page,
 * good until the message is released; a record of several pages is a copy. The message's reference stays the caller's.
 *
 * Take messages as packets (`packets`, `receivePacket`), so that records of several pages come whole; where no record
 * is longer than a page, fragments are enough.
 *
 * @throws PagePoolError POOL_ERR_INVALID_ARGUMENT when this is not a whole message of a `RecordWriter`;
 *   POOL_ERR_STALE_HANDLE when it was released
 * @example
 * for await (const message of packets(channel)) {
 *   for (const record of records(message)) count += record.length;
 *   message.release();
 * }
 */
export function records(message: Fragment | Packet): IterableIterator<Uint8Array> {
  const { tag } = message ?? {};
  if (isFragment(message)) {
    const port = portOfFragment(message, 'records');
    if (tag === 1) return [message.bytes].values();
    return each(message.bytes, lengthsOf(port, message.handle, message.offset, message.length, tag as number));
  }
  if (!isPacket(message)) throw invalidArgument('records', 'message', message, 'a Packet or a Fragment');
  const [first, second] = partsOf(message);
  if (first === undefined) throw notWhole('parts=0');
  const [view] = message.length === 0 ? [new Uint8Array(0)] : message.toBuffers();
  if (second === undefined) {
    if (tag === 1) return [view as Uint8Array].values();
    const port = portOfPacket(message) as Port;
    return each(view as Uint8Array, lengthsOf(port, first.handle, first.offset, first.length, tag as number));
  }
  if (tag !== 1) throw notWhole(`parts=${message.parts}, tag=${tag}`);
  const copy = new Uint8Array(message.length);
  message.copyTo(copy);
  return [copy].values();
}

/** The lengths of `count` records, which are `bytes` together. */
function lengthsOf(port: Port, handle: number, offset: number, bytes: number, count: number): Uint32Array {
  const start = (offset + bytes + WORD_BYTES - 1) & -WORD_BYTES;
  const extent = port.engine.extent(handle);
  if (count < 1 || start + WORD_BYTES * count > extent) throw notWhole(`tag=${count}`);
  const view = fragmentView(port, 'records', handle, start, WORD_BYTES * count);
  // A copy: the table is read to its end before the first record is used.
  const lengths = new Uint32Array(view.slice().buffer);
  let sum = 0;
  for (const length of lengths) sum += length;
  if (sum !== bytes) throw notWhole(`lengths=${sum} together, bytes=${bytes}`);
  return lengths;
}

function* each(view: Uint8Array, lengths: Uint32Array): Generator<Uint8Array, void, undefined> {
  // Asked for once, and counted by hand: the getter and an iterator inside another one take as long as a view.
  const { buffer } = view;
  let at = view.byteOffset;
  for (let i = 0; i < lengths.length; i++) {
    // Half the time of subarray().
    yield new Uint8Array(buffer, at, lengths[i]);
    at += lengths[i] as number;
  }
}

function notWhole(found: string): PagePoolError {
  const rule = 'a whole message of a RecordWriter';
  const todo = 'receive it as a packet, and read it before it is cut';
  return callError('POOL_ERR_INVALID_ARGUMENT', 'records', found, rule, todo);
}
