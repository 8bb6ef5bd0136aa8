// Recording what is shown, saving it as JSON, loading it again, and going through it.

import type { PageMap } from '../../inspect/page-map.js';
import { type Frame, type Look, packMap, type Recording, unpackMap } from '../wire.js';

/** A recording ends by itself at so many characters of text. */
const TEXT_MAX = 256 * 2 ** 20;

/** Makes looks of frames, in their order. */
export class Unpacker {
  #map: PageMap | null = null;

  /** The look of the next frame. */
  next(frame: Frame): Look {
    this.#map = unpackMap(frame.map, this.#map, frame.pageCount);
    return { ...frame, map: this.#map };
  }
}

/** Keeps the frames that come. */
export class Recorder {
  #frames: Frame[] | null = null;
  #length = 0;

  get isRecording(): boolean {
    return this.#frames !== null;
  }

  get isFull(): boolean {
    return this.#length >= TEXT_MAX;
  }

  get count(): number {
    return this.#frames?.length ?? 0;
  }

  start(): void {
    this.#frames = [];
    this.#length = 0;
  }

  /** A frame, and its look: the first one is kept with its whole map. */
  add(frame: Frame, look: Look): void {
    if (this.#frames === null || this.isFull) return;
    const kept = this.#frames.length === 0 ? { ...frame, map: packMap(look.map, null) } : frame;
    this.#frames.push(kept);
    // About: the map is what is long.
    this.#length += kept.map.base64.length + 4096;
  }

  stop(): Recording {
    const frames = this.#frames ?? [];
    this.#frames = null;
    return { kind: 'pagepool recording', version: 1, frames };
  }
}

/** A recording that is gone through. */
export class Player {
  readonly #frames: readonly Frame[];
  #unpacker = new Unpacker();
  #next = 0;

  constructor(recording: Recording) {
    this.#frames = recording.frames;
  }

  get length(): number {
    return this.#frames.length;
  }

  /** The frame that was shown last. */
  get at(): number {
    return this.#next - 1;
  }

  timeOf(frame: number): number {
    return this.#frames[frame]?.at ?? 0;
  }

  /** The looks from the one behind the last shown to `frame`; from the beginning where it lies before. */
  goTo(frame: number): { readonly isAnew: boolean; readonly looks: Look[] } {
    const isAnew = frame < this.#next;
    if (isAnew) {
      this.#unpacker = new Unpacker();
      this.#next = 0;
    }
    const looks: Look[] = [];
    while (this.#next <= frame && this.#next < this.#frames.length) {
      looks.push(this.#unpacker.next(this.#frames[this.#next++] as Frame));
    }
    return { isAnew, looks };
  }
}

/** A recording out of a file's text. Throws a sentence where it is none. */
export function readRecording(text: string): Recording {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Error('this file is not JSON');
  }
  const { frames, kind, version } = (value ?? {}) as Partial<Recording>;
  if (kind !== 'pagepool recording' || !Array.isArray(frames)) throw new Error('this file is not a recording');
  if (version !== 1) throw new Error(`this is a recording of version ${version}; this page reads version 1`);
  if (frames.length === 0 || frames[0].map?.isWhole !== true) throw new Error('this recording has no beginning');
  return value as Recording;
}

/** Gives a text to the browser's user as a file. */
export function saveFile(name: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: 'application/json' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
