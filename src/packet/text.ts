// Text into memory and out of it, as UTF-8: by the platform's own calls where those take views of shared memory.
//
// Node's Buffer writes text straight into shared memory, and decodes 64 KiB of it in 6 us; TextEncoder and TextDecoder
// refuse shared memory on many platforms, so that everywhere else one copy lies between. Whether Buffer can is asked
// once, of itself. Any thread; what is kept is this thread's.

/** What is used of Node's Buffer. */
interface BufferView {
  write(text: string, at: number): number;
  toString(encoding: 'utf8'): string;
}
interface BufferConstructor {
  from(buffer: ArrayBufferLike, offset: number, length: number): BufferView;
  byteLength(text: string): number;
}

/** Writes text from byte `at` on, for which there must be room; how many bytes. */
export type TextWriter = (text: string, at: number) => number;

/** How text is written and read here. */
interface Codec {
  byteLength(text: string): number;
  writerOf(view: Uint8Array): TextWriter;
  /** Bytes that are no text become U+FFFD; a byte order mark stays. */
  decode(bytes: Uint8Array): string;
}

let known: Codec | undefined;

function codec(): Codec {
  known ??= bufferCodec() ?? webCodec();
  return known;
}

/** Bytes of a text as UTF-8. */
export function byteLength(text: string): number {
  return codec().byteLength(text);
}

/** What writes text into the view. */
export function textWriter(view: Uint8Array): TextWriter {
  return codec().writerOf(view);
}

/**
 * The same text, in one piece. V8 keeps what `+` put together as a tree of its parts, and from Node 24 on `write` takes
 * three times as long for such a tree as for a flat text. A search makes it flat; its result is looked at, since a
 * compiler leaves out a search that nobody asks for.
 */
export function flat(text: string): string {
  return text.indexOf('\n') < text.length ? text : '';
}

/** The bytes as text; those that are none become U+FFFD, and a byte order mark stays. */
export function decode(bytes: Uint8Array): string {
  return codec().decode(bytes);
}

const PROBE = 'aé€😀';
const PROBE_BYTES = [0x61, 0xc3, 0xa9, 0xe2, 0x82, 0xac, 0xf0, 0x9f, 0x98, 0x80];

/** By Node's Buffer, where there is one that takes shared memory. */
function bufferCodec(): Codec | undefined {
  const { Buffer } = globalThis as { Buffer?: BufferConstructor };
  if (typeof Buffer?.from !== 'function') return undefined;
  const buffer = (view: Uint8Array): BufferView => Buffer.from(view.buffer, view.byteOffset, view.length);
  try {
    const view = new Uint8Array(new SharedArrayBuffer(16), 1);
    const target = buffer(view);
    const isWritten = target.write(PROBE, 2) === PROBE_BYTES.length && PROBE_BYTES.every((b, i) => view[2 + i] === b);
    const isRead = buffer(view.subarray(2, 2 + PROBE_BYTES.length)).toString('utf8') === PROBE;
    if (!isWritten || !isRead || Buffer.byteLength(PROBE) !== PROBE_BYTES.length) return undefined;
  } catch {
    return undefined;
  }
  return {
    byteLength: (text) => Buffer.byteLength(text),
    writerOf: (view) => {
      const target = buffer(view);
      return (text, at) => target.write(text, at);
    },
    decode: (bytes) => buffer(bytes).toString('utf8'),
  };
}

/** By what every platform of the web has, with one copy between. */
function webCodec(): Codec {
  const encoder = new TextEncoder();
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  let scratch = new Uint8Array(1024);
  const encode = (text: string): Uint8Array => {
    if (scratch.length < 3 * text.length) scratch = new Uint8Array(6 * text.length);
    return scratch.subarray(0, encoder.encodeInto(text, scratch).written);
  };
  return {
    byteLength: (text) => encode(text).length,
    writerOf: (view) => (text, at) => {
      const bytes = encode(text);
      view.set(bytes, at);
      return bytes.length;
    },
    decode: (bytes) => decoder.decode(bytes.slice()),
  };
}

/** Bytes of a sequence that begins with `lead`; 0: none does. */
function sequenceBytes(lead: number): number {
  if (lead >= 0xc2 && lead <= 0xdf) return 2;
  if (lead >= 0xe0 && lead <= 0xef) return 3;
  return lead >= 0xf0 && lead <= 0xf4 ? 4 : 0;
}

const isContinuation = (byte: number): boolean => (byte & 0xc0) === 0x80;

/**
 * How many bytes at the end, 0 to 3, belong to what their lead begins. Some of these can become no character any more;
 * decoded later, with the bytes that follow, they are the same text.
 */
function unfinishedBytes(bytes: Uint8Array): number {
  for (let back = 1; back <= 3 && back <= bytes.length; back++) {
    const lead = bytes[bytes.length - back] as number;
    if (isContinuation(lead)) continue;
    return sequenceBytes(lead) > back ? back : 0;
  }
  return 0;
}

/** Decodes a stream of UTF-8 that is cut anywhere: the text is the same however it is cut. */
export class StreamDecoder {
  /** The start of a character whose end has not come, 0 to 3 bytes. */
  #open: number[] = [];

  /** The text of all whole characters so far that were not returned yet. Keeps nothing of `bytes`. */
  push(bytes: Uint8Array): string {
    let at = 0;
    let text = '';
    if (this.#open.length > 0) {
      const need = sequenceBytes(this.#open[0] as number);
      while (at < bytes.length && this.#open.length < need && isContinuation(bytes[at] as number)) {
        this.#open.push(bytes[at++] as number);
      }
      const head = Uint8Array.from(this.#open);
      if (at === bytes.length && unfinishedBytes(head) === head.length) return '';
      text = decode(head);
      this.#open = [];
    }
    const end = bytes.length - unfinishedBytes(at === 0 ? bytes : bytes.subarray(at));
    for (let i = end; i < bytes.length; i++) this.#open.push(bytes[i] as number);
    if (at < end) text += decode(at === 0 && end === bytes.length ? bytes : bytes.subarray(at, end));
    return text;
  }

  /** What is left at the end of the stream. */
  end(): string {
    const text = this.#open.length === 0 ? '' : decode(Uint8Array.from(this.#open));
    this.#open = [];
    return text;
  }
}
