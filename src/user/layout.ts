// The words that a pool's thread and an untrusted consumer share beside the area itself: two rings and a few words
// around them.
//
// One buffer, made by the trusted side, with nothing of the pool in it. The consumer can write every word of it: the
// trusted side keeps its own copy of all that it decides with, reads nothing but the consumer's line and the refills,
// and reads each word of those once. Positions are free-running u32, masked on use. Both sides read this file; it
// imports nothing.
//
//   0    header: written before the buffer is handed out
//        0 magic  4 version  8 completions  12 refills  16 unitBytes  20 pageBytes  24 areaBytes
//   128  the trusted side's line
//        0 completionTail  4 refillHead  8 event  12 state  16 wants
//   256  the consumer's line
//        0 completionHead  4 refillTail  8 event  12 waits
//   384  completions, 16 bytes each: written by the trusted side, behind which it moves completionTail
//        0 reserved, 0  4 offset  8 length  12 tag: a channel's entry without its handle
//   ...  refills, 8 bytes each: written by the consumer, behind which it moves refillTail
//        0 offset  4 length
//
// Offsets are bytes from the area's start.

/** "pgpu" in little-endian order. */
export const USER_MAGIC = 0x75706770;
/** Raised whenever a word changes its place or its meaning. */
export const USER_VERSION = 1;

export const USER_MAGIC_OFFSET = 0;
export const USER_VERSION_OFFSET = 4;
/** Slots of the completion ring: a power of two. */
export const USER_COMPLETIONS_OFFSET = 8;
/** Slots of the refill ring: a power of two. */
export const USER_REFILLS_OFFSET = 12;
/** The step of what is given back: a refill's offset is a multiple of it. */
export const USER_UNIT_BYTES_OFFSET = 16;
export const USER_PAGE_BYTES_OFFSET = 20;
/** Bytes of the area: below 4 GiB. */
export const USER_AREA_BYTES_OFFSET = 24;

/** Completions that were ever written. */
export const USER_COMPLETION_TAIL_OFFSET = 128;
/** Refills that were ever taken. */
export const USER_REFILL_HEAD_OFFSET = 132;
/** Raised when something came while the consumer waits: the word it waits on. */
export const USER_GIVEN_EVENT_OFFSET = 136;
export const USER_STATE_OFFSET = 140;
/** Not 0: the trusted side wants to be woken by refills and of completions that were taken. */
export const USER_WANTS_OFFSET = 144;

/** Completions that the consumer has taken. */
export const USER_COMPLETION_HEAD_OFFSET = 256;
/** Refills that the consumer ever wrote. */
export const USER_REFILL_TAIL_OFFSET = 260;
/** Raised when the trusted side wants to be woken, and when the refill ring is full: the word it waits on. */
export const USER_TAKEN_EVENT_OFFSET = 264;
/** Not 0: the consumer waits; USER_WAITS_*. */
export const USER_WAITS_OFFSET = 268;
/** For something to receive. */
export const USER_WAITS_GIVEN = 1;
/** Also for room in the refill ring. */
export const USER_WAITS_ROOM = 2;

export const USER_RINGS_OFFSET = 384;
export const USER_COMPLETION_WORDS = 4;
export const USER_REFILL_WORDS = 2;

export const USER_STATE_OPEN = 1;
/** Nothing more is given; what is in the ring can still be received. */
export const USER_STATE_ENDED = 2;
/** Every page was taken back: what is in the ring is the consumer's no more. */
export const USER_STATE_SCRUBBED = 3;

/** Where all positions start: each passes 2^32 soon, in every program, so that nothing relies on its not doing so. */
export const USER_START_POS = 0xffffff00;

/**
 * Waits that one step of the trusted side wakes at most: the consumer may queue as many on the word as it likes. A
 * receiver whose waits are more passes the call on to the others.
 */
export const USER_WAKES_MAX = 64;

/** Slots a ring may have. */
export const USER_SLOTS_MAX = 32768;

/** Bytes of a buffer with such rings. */
export function userRingsBytes(completions: number, refills: number): number {
  return USER_RINGS_OFFSET + (completions * USER_COMPLETION_WORDS + refills * USER_REFILL_WORDS) * 4;
}

/** What the consumer is given: the area and the rings, nothing of the pool. Structured-cloneable. */
export interface UserShare {
  readonly kind: 'pagepool-user';
  /** The buffer that the area lies in; the consumer can see and write all of it. */
  readonly area: SharedArrayBuffer;
  /** Where in that buffer the area starts. */
  readonly byteOffset: number;
  readonly byteLength: number;
  /** The two rings. */
  readonly rings: SharedArrayBuffer;
}
