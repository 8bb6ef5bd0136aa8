// A consumer that does everything it should not: in the refill ring, in every word of the rings, and, where told, all
// over the area.
//
// Knows no platform: a worker of Node and one of a page run the same steps. It has what an honest consumer has, the
// share, and follows the protocol only as far as that lets it do more harm.

import {
  USER_COMPLETION_HEAD_OFFSET,
  USER_COMPLETION_TAIL_OFFSET,
  USER_COMPLETION_WORDS,
  USER_COMPLETIONS_OFFSET,
  USER_GIVEN_EVENT_OFFSET,
  USER_PAGE_BYTES_OFFSET,
  USER_REFILL_TAIL_OFFSET,
  USER_REFILL_WORDS,
  USER_REFILLS_OFFSET,
  USER_RINGS_OFFSET,
  USER_START_POS,
  USER_TAKEN_EVENT_OFFSET,
  USER_UNIT_BYTES_OFFSET,
  USER_WAITS_OFFSET,
  type UserShare,
} from '../../src/user/layout.js';

/** What it counts of its own deeds, in shared words from DEEDS_WORD on, in this order. */
export const DEEDS = [
  'again',
  'foreign',
  'misaligned',
  'outside',
  'overEnd',
  'torn',
  'tails',
  'floods',
  'heads',
  'waits',
] as const;
export const DEEDS_WORD = 4;

export interface HostileSetup {
  readonly counts: Int32Array;
  readonly share: UserShare;
  readonly seed: number;
  /** Whether it also writes into the area, beyond what it was given: its own data, and nobody else's. */
  readonly writesArea: boolean;
}

/** Returns the hostile steps: as many as are asked for. */
export function createHostile({ share, seed, writesArea, counts }: HostileSetup): (steps: number) => void {
  const u32 = new Uint32Array(share.rings);
  const i32 = new Int32Array(share.rings);
  const area = new Uint8Array(share.area);
  // Once, at the start: later its own garbage may stand there.
  const [completions, refills, unitBytes, pageBytes] = [
    USER_COMPLETIONS_OFFSET,
    USER_REFILLS_OFFSET,
    USER_UNIT_BYTES_OFFSET,
    USER_PAGE_BYTES_OFFSET,
  ].map((offset) => u32[offset >>> 2] as number) as [number, number, number, number];
  const firstRefill = (USER_RINGS_OFFSET >>> 2) + completions * USER_COMPLETION_WORDS;
  const seen = new Uint32Array(64);
  let seenCount = 0;
  let head = USER_START_POS;
  let tail = USER_START_POS;
  let state = seed >>> 0;
  /** Waits that it still queues: each takes memory of its own process. */
  let waits = 100_000;

  function random(below: number): number {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % below;
  }

  const word = (): number => random(2 ** 32);

  function put(slot: number, offset: number, length: number): void {
    const at = firstRefill + (slot & (refills - 1)) * USER_REFILL_WORDS;
    u32[at] = offset;
    u32[at + 1] = length;
  }

  function push(offset: number, length: number): void {
    put(tail, offset, length);
    tail = (tail + 1) >>> 0;
    Atomics.store(i32, USER_REFILL_TAIL_OFFSET >>> 2, tail | 0);
  }

  /** What was given lately; something anywhere when nothing was. */
  const stale = (): number => (seenCount === 0 ? page() : (seen[random(Math.min(seenCount, 64))] as number));
  const page = (): number => random(share.byteLength / pageBytes) * pageBytes;
  const unit = (): number => random(share.byteLength / unitBytes) * unitBytes;

  /** Takes what was given, as an honest consumer does, and gives some of it back. */
  function take(): void {
    const end = Atomics.load(i32, USER_COMPLETION_TAIL_OFFSET >>> 2) >>> 0;
    // What cannot be is its own garbage.
    for (let count = (end - head) >>> 0; count > 0 && count <= completions; count--) {
      const at = (USER_RINGS_OFFSET >>> 2) + (head & (completions - 1)) * USER_COMPLETION_WORDS;
      const offset = u32[at + 1] as number;
      seen[seenCount++ & 63] = offset - (offset % unitBytes);
      head = (head + 1) >>> 0;
      if (random(4) !== 0) push(stale(), random(64));
    }
    Atomics.store(i32, USER_COMPLETION_HEAD_OFFSET >>> 2, head | 0);
  }

  /** Publishes an entry and goes on changing it while it is read. */
  function tear(): void {
    const slot = tail;
    push(stale(), 1);
    for (let i = random(100); i > 0; i--)
      put(slot, [stale(), page(), word()][i % 3] as number, i % 2 === 0 ? 1 : word());
  }

  function lie(): void {
    const shift = [1, refills, refills + 1, 2 ** 31, word()][random(5)] as number;
    Atomics.store(i32, USER_REFILL_TAIL_OFFSET >>> 2, (tail + (random(2) === 0 ? shift : -shift)) | 0);
    if (random(4) === 0) tail = Atomics.load(i32, USER_REFILL_TAIL_OFFSET >>> 2) >>> 0;
  }

  /** Every refill that there can be room for names something. */
  function flood(): void {
    for (let slot = 0; slot < refills; slot++) put(slot, [stale, page, unit][slot % 3]?.() ?? 0, 1);
    tail = (tail + refills) >>> 0;
    Atomics.store(i32, USER_REFILL_TAIL_OFFSET >>> 2, tail | 0);
  }

  /** Random words over everything, the header, the other side's line and the completions among it. */
  function scribble(): void {
    for (let i = random(40); i > 0; i--) {
      const index = random(u32.length);
      // One word is left alone: without it nothing more could be had from the other side.
      if (index !== USER_COMPLETION_TAIL_OFFSET >>> 2) u32[index] = [0, 1, word(), stale()][random(4)] as number;
    }
  }

  function wake(): void {
    for (let i = random(50); i > 0; i--) {
      Atomics.add(i32, USER_TAKEN_EVENT_OFFSET >>> 2, random(3));
      Atomics.notify(i32, USER_TAKEN_EVENT_OFFSET >>> 2);
    }
  }

  /** Queues waits on the words that both sides wait on, and says that it waits. */
  function queueWaits(): void {
    const { waitAsync } = Atomics as { waitAsync?: typeof Atomics.waitAsync };
    for (let i = random(200); i > 0 && waits > 0; i--, waits--) {
      const index = (random(2) === 0 ? USER_GIVEN_EVENT_OFFSET : USER_TAKEN_EVENT_OFFSET) >>> 2;
      waitAsync?.(i32, index, Atomics.load(i32, index));
    }
    Atomics.store(i32, USER_WAITS_OFFSET >>> 2, 3);
  }

  function spoil(): void {
    const at = random(area.length);
    for (let i = 0; i < 200; i++) area[(at + i * 7) % area.length] = word();
  }

  const counted =
    (deed: (typeof DEEDS)[number], run: () => void): (() => void) =>
    () => {
      Atomics.add(counts, DEEDS_WORD + DEEDS.indexOf(deed), 1);
      run();
    };
  const STEPS: readonly (() => void)[] = [
    take,
    take,
    take,
    take,
    counted('again', () => push(stale(), random(2) === 0 ? 1 : random(pageBytes))), // or of long ago
    counted('foreign', () => push(page(), 1)),
    () => push(unit(), random(unitBytes)),
    counted('misaligned', () => push(random(share.byteLength), 1)),
    counted('outside', () => push(word(), word())),
    counted('overEnd', () => push(stale(), pageBytes + 1)), // of its page
    counted('torn', tear),
    counted('tails', lie),
    counted('floods', flood),
    scribble,
    counted('heads', () => Atomics.store(i32, USER_COMPLETION_HEAD_OFFSET >>> 2, (head + random(3) * word()) | 0)),
    wake,
    counted('waits', queueWaits),
    writesArea ? spoil : take,
  ];
  return (steps) => {
    for (let i = 0; i < steps; i++) (STEPS[random(STEPS.length)] as () => void)();
  };
}
