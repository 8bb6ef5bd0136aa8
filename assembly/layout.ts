// The shape of the control region: offsets, bit fields, states and codes, and no behaviour.
//
// Who may use it: asc and tsc alike, so it holds typed constants only. Whatever stands here is part of the ABI: a
// change of meaning raises ABI_VERSION, and the build derives the layout hash from this file's constants. Units stand
// in the names: *_OFFSET and *_BYTES are bytes, *_SHIFT and *_BITS are bits, *_COUNT are items.
//
//   from CONTROL_BASE, controlBytes long, and then the pages:
//   | header | ports | ledgers | page descriptors | retired bits | words | extents | ring | tokens | channels |
//   | scratch |
//
// Nothing lies below CONTROL_BASE: optimisers may take the first 1,024 bytes of a Wasm memory for unused.

/** Where the header starts, in every memory. */
export const CONTROL_BASE: u32 = 1024;
/** "pgpl" in little-endian order. */
export const MAGIC: u32 = 0x6c706770;
/** Raised whenever a word of this file changes its place or its meaning. */
export const ABI_VERSION: u32 = 9;

// ------------------------------------------------------------------------------------------------- header, 1,536 bytes
//
//   0    geometry and places, written once before the first attach, read plainly by everybody
//   256  state, closer     384  fresh             512  retired           640  freed event             768  demand
//   896  taker  1408  tokens
//        each on two cache lines of its own (128 bytes: adjacent-line prefetchers pull lines in pairs)

export const HEADER_BYTES: u32 = 1536;
export const HEADER_MAGIC_OFFSET: u32 = 0;
export const HEADER_ABI_OFFSET: u32 = 4;
export const HEADER_HASH_OFFSET: u32 = 8;
/** Four words that distinguish one pool from every other. */
export const HEADER_IDENTITY_OFFSET: u32 = 12;
export const HEADER_PAGE_SHIFT_OFFSET: u32 = 28;
export const HEADER_PAGE_COUNT_OFFSET: u32 = 32;
export const HEADER_UNIT_BYTES_SHIFT_OFFSET: u32 = 36;
/** log2 of the units in a page. */
export const HEADER_UNITS_PER_PAGE_SHIFT_OFFSET: u32 = 40;
/** How many low bits of a handle number its unit. */
export const HEADER_UNIT_BITS_OFFSET: u32 = 44;
export const HEADER_GENERATION_BITS_OFFSET: u32 = 48;
/** Mixed into the generation of every handle, so that another pool's handles are refused. */
export const HEADER_GENERATION_SEED_OFFSET: u32 = 52;
export const HEADER_MAX_PORTS_OFFSET: u32 = 56;
/** Pages a magazine holds. */
export const HEADER_MAGAZINE_CAPACITY_OFFSET: u32 = 60;
export const HEADER_FLAGS_OFFSET: u32 = 64;
export const HEADER_PORTS_OFFSET: u32 = 68;
export const HEADER_LEDGERS_OFFSET: u32 = 72;
export const HEADER_LEDGER_BYTES_OFFSET: u32 = 76;
export const HEADER_DESCRIPTORS_OFFSET: u32 = 80;
export const HEADER_WORDS_OFFSET: u32 = 84;
export const HEADER_EXTENTS_OFFSET: u32 = 88;
/** The recycle ring: a RING block, then its slots and nodes. */
export const HEADER_RING_OFFSET: u32 = 92;
export const HEADER_TOKENS_OFFSET: u32 = 96;
export const HEADER_TOKEN_COUNT_OFFSET: u32 = 100;
/** A table of u32: the address of each channel's block. */
export const HEADER_CHANNELS_OFFSET: u32 = 104;
export const HEADER_CHANNEL_COUNT_OFFSET: u32 = 108;
export const HEADER_CONTROL_BYTES_OFFSET: u32 = 112;
/** Scratch words for bursts, one stretch a port. */
export const HEADER_SCRATCH_OFFSET: u32 = 116;
export const HEADER_SCRATCH_BYTES_OFFSET: u32 = 120;
/** Where page 1 starts, in this memory; 0 when the pages lie elsewhere. */
export const HEADER_PAGES_OFFSET: u32 = 124;
/** Wasm pages (64 KiB) that one growth step adds; 0 when the memory is never grown. */
export const HEADER_GROW_STEP_OFFSET: u32 = 128;
/** A bit a page, 32 a word: pages that were retired and not taken since; a bit too many is harmless. */
export const HEADER_RETIRED_BITS_OFFSET: u32 = 132;
/** The same for pages that ports may take: the retired ones in the pool's own memory, those that were fed elsewhere. */
export const HEADER_SUPPLY_BITS_OFFSET: u32 = 136;
/** Where the hint of those bits is. */
export const HEADER_SUPPLY_HINT_OFFSET: u32 = 140;
/** Pages 1 to this lie in this memory; those above in areas of a provider. */
export const HEADER_OWN_PAGES_OFFSET: u32 = 144;
/** Where the reply slots are: those of port 0, of port 1, ... */
export const HEADER_REPLIES_OFFSET: u32 = 148;
/** Reply slots of one port; 0 in a pool without calls. */
export const HEADER_REPLY_COUNT_OFFSET: u32 = 152;
export const HEADER_STATE_OFFSET: u32 = 256;
/** Raised with everything that concerns all threads, before all bells are rung. */
export const HEADER_NEWS_OFFSET: u32 = 260;
/**
 * {claim of the port that closes the pool, its number + 1}: 0 = nobody has begun. Whoever finds it gone takes its
 * place.
 */
export const HEADER_CLOSER_OFFSET: u32 = 264;
/** 1: some thread watches, so every port's thread holds a lock where it can. */
export const HEADER_LOCKS_OFFSET: u32 = 268;
/** Ports that were reaped, ever. */
export const HEADER_REAPS_OFFSET: u32 = 272;
/**
 * {claim of the port that calls the provider, its number + 1}: 0 = all memory is the pool's own. Gone with that claim.
 */
export const HEADER_OWNER_OFFSET: u32 = 276;
/** The first fresh page; a hint that anybody moves on. */
export const HEADER_FRESH_OFFSET: u32 = 384;
/**
 * {stamp, index of a word of retired bits}: no bit is set before that word; a hint that anybody moves, see RETIRED_*.
 */
export const HEADER_RETIRED_OFFSET: u32 = 512;
/** The hint of the supply bits, where those are bits of their own. */
export const HEADER_FED_OFFSET: u32 = 576;
/** An event: there are pages. */
export const HEADER_FREED_OFFSET: u32 = 640;
/** Raised with each want of a port, and whatever else the owner should check, before its bell is rung. */
export const HEADER_DEMAND_OFFSET: u32 = 768;
/** How often the provider's areas have changed. Who reads bytes knows the areas as of this epoch. */
export const HEADER_AREAS_OFFSET: u32 = 832;
/** An event: no port is the taker, so one that waits for that may be. */
export const HEADER_TAKER_FREE_OFFSET: u32 = 896;
/**
 * {claim of the port that takes several pages, all or none, its number + 1}: 0 = nobody does. It is held from the
 * probe until the pages are taken, and never while a thread sleeps. A reaper clears that of its dead port.
 */
export const HEADER_TAKER_OFFSET: u32 = 928;
/** Where the search for a free token begins; a hint that anybody moves. */
export const HEADER_TOKEN_HINT_OFFSET: u32 = 1408;
/** An event: a token is free again. */
export const HEADER_TOKEN_FREED_OFFSET: u32 = 1440;

export const FLAG_ZERO_ON_RELEASE: u32 = 1;
/** A page that somebody pinned may leave the pool. */
export const FLAG_DETACHABLE: u32 = 2;
export const FLAG_READABLE: u32 = 4;
/** Retired pages are in this memory: any port may take them, and grow it. */
export const FLAG_OWN_MEMORY: u32 = 8;

export const STATE_ACTIVE: u32 = 1;
/** No page is allocated any more; what comes home goes to the provider. */
export const STATE_CLOSING: u32 = 2;
/** In-flight reached 0. */
export const STATE_DESTROYED: u32 = 3;

// ---------------------------------------------------------------------------------------------------- event, 32 bytes
//
//   0  one       a bit for each port that waits for one unit, ports 0..31, then 32..63
//   8  several   the same for those that need several
//   16 known     the same for those that have waited here since they were claimed: who has company probes by a timer

export const EVENT_ONE_OFFSET: u32 = 0;
export const EVENT_SEVERAL_OFFSET: u32 = 8;
export const EVENT_KNOWN_OFFSET: u32 = 16;
export const EVENT_BYTES: u32 = 32;
export const MAX_PORTS_LIMIT: u32 = 64;

// ------------------------------------------------------------------------------------ page descriptor, 16 bytes a page
//
//   0  count   references of all fragments together; 1 in every container, never 0        any thread, compare-exchange
//   4  pins    {LEFT, port of the last unpin, pins}                                     any thread, atomic
//   8  home    {state, port, opener, flags}                                 claimed by compare-exchange, see HOME_*
//   12 suspect  1: a death left one reference too many, perhaps                        whoever reaps or audits

export const DESCRIPTOR_SHIFT: u32 = 4;
export const DESCRIPTOR_COUNT_OFFSET: u32 = 0;
export const DESCRIPTOR_PINS_OFFSET: u32 = 4;
export const DESCRIPTOR_HOME_OFFSET: u32 = 8;
export const DESCRIPTOR_SUSPECT_OFFSET: u32 = 12;

/** The bias of an open fragment page: no pool has as many references. */
export const BIAS: u32 = 0x20000000;
/** A count at or above this still carries the bias. */
export const BIAS_THRESHOLD: u32 = 0x10000000;

/** Set by the last release of a pinned page: the page has left the pool. */
export const PIN_LEFT: u32 = 0x80000000;
export const PIN_COUNT_MASK: u32 = 0xffffff;
/** Port + 1 of the last unpin, where the page had left: it retires the page. */
export const PIN_LAST_SHIFT: u32 = 24;

// home: | 31..24 stamp | 23..16 opener port + 1, 0 = none | 15..8 port + 1 that took it | 7..3 flags | 2..0 state |
//
// The stamp counts how often the page was taken from the provider: a reaper that finds the word as a dead port's record
// has it knows that the step did not happen (unless the page went round 256 times between the death and the reaping).
export const HOME_STATE_MASK: u32 = 0x7;
/** Ready to be taken: never in circulation, or fed by its provider. */
export const HOME_FRESH: u32 = 0;
/** In circulation: held by users, or in a magazine. */
export const HOME_HELD: u32 = 1;
/** Retired: on the provider's side, its bit set. */
export const HOME_RETIRED: u32 = 2;
/** Left the pool while pinned; the last unpin retires it. */
export const HOME_LEFT: u32 = 3;
/** With its provider, which feeds it when it is wanted. */
export const HOME_RETURNED: u32 = 4;
/** Its bytes are cleared when it comes home. */
export const HOME_ZERO: u32 = 0x8;
/** The page was opened for fragments since it was last at home. */
export const HOME_FRAGMENTED: u32 = 0x10;
/** A dead thread held fragments of it: its unit words are cleared when it comes home. */
export const HOME_TAINTED: u32 = 0x20;
/** From a reserve: never recycled into a cache or the ring. */
export const HOME_RESERVE: u32 = 0x80;
/** What a page's last use left: FRAGMENTED, TAINTED and the opener; gone when it comes home. */
export const HOME_USE_MASK: u32 = 0xff0030;
/** What sends a last release to the slow tier. */
export const HOME_SLOW_MASK: u32 = 0xff00f8;
export const HOME_PORT_SHIFT: u32 = 8;
export const HOME_PORT_MASK: u32 = 0xff00;
export const HOME_OPENER_SHIFT: u32 = 16;
export const HOME_OPENER_MASK: u32 = 0xff0000;
export const HOME_STAMP_SHIFT: u32 = 24;
export const HOME_STAMP_MASK: u32 = 0xff000000;

// retired hint: | 31..INDEX bits stamp | index of a word |: every retirement raises the stamp
export const RETIRED_INDEX_BITS: u32 = 21;
export const RETIRED_INDEX_MASK: u32 = 0x1fffff;
/** log2 of the pages that share a word of retired bits. */
export const RETIRED_WORD_SHIFT: u32 = 5;

// ---------------------------------------------------------------------- fragment word, 4 bytes a unit; extent, 2 bytes
//
//   word:   | 31..16 generation | 15..0 holders |       extent: length in units, 0 = the whole page

export const WORD_GENERATION_SHIFT: u32 = 16;
export const WORD_HOLDERS_MASK: u32 = 0xffff;
export const GENERATION_BITS_MAX: u32 = 14;
export const GENERATION_BITS_MIN: u32 = 4;
export const HANDLE_BITS: u32 = 30;
export const UNITS_PER_PAGE_MAX: u32 = 32768;
export const LEDGER_MAX: u32 = 0xffff;

// ------------------------------------------------------------------------------------------------ port, 512 bytes each
//
//   0    claim, and its thread's state                 64  spare: any port     128  cache, fragment page, record
//   256  counters     384  label     448  exchanges       all from 128 on but the limit: the port's thread only
//
// Everything from PORT_LOADED_OFFSET on is written by the port's thread alone until it is reaped (I5), except the
// spare.

export const PORT_BYTES: u32 = 512;
export const PORT_SHIFT: u32 = 9;
/** {claims, state, reaper}: 0 = never claimed. */
export const PORT_CLAIM_OFFSET: u32 = 0;
/** The number of the port's thread + 1, as node:worker_threads counts; 0 where threads have none. */
export const PORT_THREAD_OFFSET: u32 = 4;
/** The claim, without its state, that the thread's number is of: older ones are of threads that had the port before. */
export const PORT_THREAD_CLAIM_OFFSET: u32 = 8;
/** The claim, without its state, for which the port's thread holds a lock that ends with it. */
export const PORT_LOCK_OFFSET: u32 = 12;
/** While the port is set aside: a digest of what only its thread writes, as it was then. */
export const PORT_QUIET_OFFSET: u32 = 16;
/** Pages that the port's thread found nowhere: the owner takes the number and asks the provider. */
export const PORT_WANT_OFFSET: u32 = 20;
/** The epoch of the areas that the port's thread knows; see AREAS_*. */
export const PORT_AREAS_OFFSET: u32 = 24;
/** The bell: raised by whoever has something for the port's thread, which waits on it; never lowered. */
export const PORT_BELL_OFFSET: u32 = 32;
/** The lifeline: what its thread waits on without being rung, so that its waits tell that it lives; never changed. */
export const PORT_LIFELINE_OFFSET: u32 = 36;
/** {claim without its state, strands}: waits on the lifeline that nobody has taken, for that claim. */
export const PORT_STRANDS_OFFSET: u32 = 40;
/** {stamp, full, node}: the spare magazine; any port may exchange it. */
export const PORT_SPARE_OFFSET: u32 = 64;
/** Pages the loaded magazine may hold; others store 0 to ask for it (pressure, closing, parking). */
export const PORT_LIMIT_OFFSET: u32 = 128;
/** Node number of the loaded magazine. */
export const PORT_LOADED_OFFSET: u32 = 132;
/** Node number of the magazine that merges go through. */
export const PORT_MERGE_OFFSET: u32 = 136;
/** The open fragment page, 0 = none. */
export const PORT_FRAGMENT_PAGE_OFFSET: u32 = 140;
/** {offset in units, users}: one store. */
export const PORT_FRAGMENT_OFFSET: u32 = 144;
export const PORT_PARKED_OFFSET: u32 = 148;
/** In-flight, one side: pages taken from the provider. Serial arithmetic. */
export const PORT_HOLD_OFFSET: u32 = 152;
/** The other side: pages returned to it. */
export const PORT_RELEASE_OFFSET: u32 = 156;

// operation record: what a step was about to do, absolute values only, its first word written last and cleared last
//
//   first word:  | 31..16 row: references on the page before the step | 15..8 index: entries before it | 7..0 kind |
//
// The steps that a burst repeats need that one store each: which page and node they are about stands where they work.
/** {row, index, kind}: 0 = no step is under way. */
export const PORT_RECORD_KIND_OFFSET: u32 = 160;
export const PORT_RECORD_ADDRESS_OFFSET: u32 = 164;
export const PORT_RECORD_PAGE_OFFSET: u32 = 180;
/** The other private word's value before the step. */
export const PORT_RECORD_VALUE_OFFSET: u32 = 188;

/**
 * The page whose count this port is about to move while its row does not show it, 0 = none: suspect when the port dies.
 */
export const PORT_COUNTING_OFFSET: u32 = 192;
/**
 * The workers that this port's thread watches, a mark each (src/control/watched.ts), 0 = none: whoever reaps the port
 * reaps theirs, since they ended with it.
 */
export const PORT_WATCHED_OFFSET: u32 = 200;
export const PORT_WATCHED_COUNT: u32 = 14;

/** The port that this port chose last: the next one to be chosen comes after it. */
export const PORT_CHOSEN_OFFSET: u32 = 196;

/** The thread checks for itself, before it reads bytes: nobody waits for it. */
export const AREAS_PULLED: u32 = 0xffffffff;
/** The thread missed a change and asks for all of them; it gets no page meanwhile. */
export const AREAS_WANTED: u32 = 0xfffffffe;
/** They were posted, and have not arrived yet. */
export const AREAS_ANSWERED: u32 = 0xfffffffd;
/** Epochs stay below this. */
export const AREAS_EPOCH_MASK: u32 = 0x7fffffff;

export const RECORD_KIND_MASK: u32 = 0xff;
export const RECORD_INDEX_SHIFT: u32 = 8;
export const RECORD_INDEX_MASK: u32 = 0xff00;
export const RECORD_ROW_SHIFT: u32 = 16;

export const RECORD_NONE: u32 = 0;
/** A node exchange: index = where in the exchanges of the port it lies. */
export const RECORD_EXCHANGE: u32 = 1;
/** A cut or its undoing on the own open page: row, value = fragment word. */
export const RECORD_CUT: u32 = 2;
/** An entry moves from the row into a channel node: row, index = the node's count, address = node. */
export const RECORD_ENTRY: u32 = 3;
/**
 * A page is taken from the provider: page, address = its home word when it is taken (0: not read yet), value =
 * holds.
 */
export const RECORD_CLAIM: u32 = 4;
/** A page is retired: page, index = whether in-flight goes down, address = its home word, value = releases. */
export const RECORD_RETIRE: u32 = 5;
/** The last user leaves a pinned page: page, address = its home word, value = releases. */
export const RECORD_PINNED: u32 = 6;
/** A reference moves between the row and a token: page, row, address = token. */
export const RECORD_TOKEN: u32 = 7;
/** The fragment page is left: page, row, value = fragment word. */
export const RECORD_LEAVE: u32 = 8;
/** An entry moves from a channel node into the row: row, index = entries taken, address = node. */
export const RECORD_RECEIVE: u32 = 9;
/** The last entry of a channel node moves back into the row: row, index = the node's count, address = node. */
export const RECORD_BACK: u32 = 10;
/** A reference moves between the row and a reply slot: page, row, address = slot, value = its word before. */
export const RECORD_REPLY: u32 = 11;

export const CLAIM_STATE_MASK: u32 = 0x7;
export const CLAIM_FREE: u32 = 0;
export const CLAIM_ACTIVE: u32 = 1;
/** Dead; the reaper named in the word acts as this port. */
export const CLAIM_REAPING: u32 = 2;
/** Its thread may live: nobody touches what it has. */
export const CLAIM_QUARANTINED: u32 = 3;
/** The reaper's port + 1, while one is at work. */
export const CLAIM_REAPER_SHIFT: u32 = 3;
export const CLAIM_REAPER_MASK: u32 = 0x3f8;
/** Counts claims: a port's identity over time. */
export const CLAIM_SEQ_SHIFT: u32 = 10;
export const STRANDS_MASK: u32 = 0xff;
export const STRANDS_SEQ_SHIFT: u32 = 8;

// counters: 64-bit integers, the low word first (TypeScript adds to the two words, no BigInt), the port's thread only
export const PORT_COUNTERS_OFFSET: u32 = 256;
export const COUNTER_FAST: u32 = 0;
export const COUNTER_SLOW: u32 = 8;
export const COUNTER_EMPTY: u32 = 16;
export const COUNTER_REFILL: u32 = 24;
export const COUNTER_WAIVE: u32 = 32;
/** Last releases that kept the page in circulation, wherever it went. */
export const COUNTER_RECYCLED: u32 = 40;
export const COUNTER_CACHE_FULL: u32 = 48;
/** Of those recycled, pages that an overflowing cache moved on to the ring. */
export const COUNTER_RING: u32 = 56;
export const COUNTER_RING_FULL: u32 = 64;
export const COUNTER_RELEASED_REFCNT: u32 = 72;
export const COUNTER_REJECTED: u32 = 80;
/** Allocations that found no page anywhere. */
export const COUNTER_FAIL: u32 = 88;
export const COUNTER_STOLEN: u32 = 96;
export const COUNTER_REPAIRED: u32 = 104;
export const COUNTER_SUSPECT: u32 = 112;
export const COUNTER_FRAGMENTS: u32 = 120;
export const COUNTER_COUNT: u32 = 16;

// label: {u16 length, UTF-16 code units}, written once by the thread that claims the port, for reports
export const PORT_LABEL_OFFSET: u32 = 384;
export const PORT_LABEL_UNITS: u32 = 31;

// exchanges: two records in turn, {address, seen, new, holder} each
//
// The next exchange is the fence behind the last one: its record stays until the node's new owner is visible.
export const PORT_EXCHANGES_OFFSET: u32 = 448;
export const EXCHANGE_BYTES: u32 = 16;
export const EXCHANGE_ADDRESS_OFFSET: u32 = 0;
export const EXCHANGE_SEEN_OFFSET: u32 = 4;
export const EXCHANGE_NEW_OFFSET: u32 = 8;
/** Which word of the port owns the node that moves. */
export const EXCHANGE_HOLDER_OFFSET: u32 = 12;
/** Where in them the next exchange has its record: 0, or EXCHANGE_BYTES. */
export const PORT_TURN_OFFSET: u32 = 480;
/** Where the port found the recycle ring's tail and head last: hints as the ring's own, which only this port reads. */
export const PORT_RING_TAIL_OFFSET: u32 = 484;
export const PORT_RING_HEAD_OFFSET: u32 = 488;

// ----------------------------------------------------------------------------------------------- ring block, 384 bytes
//
//   0    geometry, written once       128  head       256  tail: hints {lap, index}, which lag behind
//
// slot:  | lap | full | node |; lap takes what a node number leaves of 31 bits. hint: | lap | index |, as many lap bits

export const RING_BYTES: u32 = 384;
export const RING_SLOT_COUNT_OFFSET: u32 = 0;
export const RING_INDEX_BITS_OFFSET: u32 = 4;
export const RING_NODE_BITS_OFFSET: u32 = 8;
export const RING_SLOTS_OFFSET: u32 = 12;
export const RING_NODES_OFFSET: u32 = 16;
export const RING_NODE_BYTES_OFFSET: u32 = 20;
export const RING_NODE_COUNT_OFFSET: u32 = 24;
export const RING_HEAD_OFFSET: u32 = 128;
export const RING_TAIL_OFFSET: u32 = 256;

// ---------------------------------------------------------------------------------------------------- nodes
//
//   magazine:  0 count   4 owner (port + 1, or 0: in a slot)   8 pages, 4 bytes each
//   channel:   0 count   4 owner   8 taken (entries received)  12 more  16 end
//             24 entries {handle, offset, length, tag}, 16 bytes each

export const NODE_COUNT_OFFSET: u32 = 0;
export const NODE_OWNER_OFFSET: u32 = 4;
export const NODE_PAGES_OFFSET: u32 = 8;
export const NODE_TAKEN_OFFSET: u32 = 8;
/** A bit an entry: the next entry of the node belongs to the same message. */
export const NODE_MORE_OFFSET: u32 = 12;
/**
 * Entries that came up to the end of this node, since some node before: the difference of two marks counts what is
 * between.
 */
export const NODE_END_OFFSET: u32 = 16;
export const NODE_ENTRIES_OFFSET: u32 = 24;
export const ENTRY_BYTES: u32 = 16;
export const ENTRY_SHIFT: u32 = 4;
export const ENTRY_HANDLE_OFFSET: u32 = 0;
export const ENTRY_OFFSET_OFFSET: u32 = 4;
export const ENTRY_LENGTH_OFFSET: u32 = 8;
export const ENTRY_TAG_OFFSET: u32 = 12;
/** What a 256-byte magazine has room for beside its header. */
export const MAGAZINE_CAPACITY_MAX: u32 = 62;
/** Where a pool has so many pages for each port, its magazines have as many at least. */
export const MAGAZINE_CAPACITY_FLOOR: u32 = 4;
/** A magazine has at most a 16th of a pool that is given this floor, however few its ports are. */
export const MAGAZINE_FLOOR_SHARES: u32 = 16;

// ------------------------------------------------------------------------------------ channel block, 640 bytes + lanes
//
//   0    a RING block         384  policy, state        448  not empty: event          512  not full: event
//   576  lanes, 64 bytes a port: its inbox and outbox nodes and its private counters

export const CHANNEL_HEAD_BYTES: u32 = 576;
export const CHANNEL_POLICY_OFFSET: u32 = 384;
export const CHANNEL_BATCH_OFFSET: u32 = 388;
export const CHANNEL_CLOSED_OFFSET: u32 = 392;
export const CHANNEL_CAPACITY_OFFSET: u32 = 396;
/** 1: what it carries are calls, a message each, which are answered in reply slots. */
export const CHANNEL_CALLS_OFFSET: u32 = 400;
export const CHANNEL_NOT_EMPTY_OFFSET: u32 = 448;
export const CHANNEL_NOT_FULL_OFFSET: u32 = 512;
export const LANE_BYTES: u32 = 64;
export const LANE_SHIFT: u32 = 6;
export const LANE_INBOX_OFFSET: u32 = 0;
export const LANE_OUTBOX_OFFSET: u32 = 4;
/** Entries this port sent, free-running. */
export const LANE_SENT_OFFSET: u32 = 8;
/** Entries this port took out, received or dropped, free-running. */
export const LANE_RECEIVED_OFFSET: u32 = 12;
export const LANE_DROPPED_OFFSET: u32 = 16;
/** Entries this port may send before it has to count the channel again. */
export const LANE_CREDIT_OFFSET: u32 = 20;
/** Where the port found the channel's tail and head last: hints as the ring's own, which only this port reads. */
export const LANE_TAIL_OFFSET: u32 = 24;
export const LANE_HEAD_OFFSET: u32 = 28;

export const POLICY_REFUSE: u32 = 0;
export const POLICY_DROP_NEWEST: u32 = 1;
export const POLICY_DROP_OLDEST: u32 = 2;
export const BATCH_MAX: u32 = 32;
/** A capacity in entries that is never reached: the ring of a channel that carries calls counts by itself. */
export const CAPACITY_BY_RING: u32 = 0x7fffffff;

// lane of a channel that carries calls: what became of the port's own ones, free-running, plain as all of the lane
export const LANE_ASKED_OFFSET: u32 = 32;
export const LANE_ANSWERED_OFFSET: u32 = 36;
export const LANE_FAILED_OFFSET: u32 = 40;
export const LANE_CANCELLED_OFFSET: u32 = 44;

// ---------------------------------------------------------------------------------------------------- token, 32 bytes
//
//   0 word {sequence, port + 1, state}    4 handle    8 offset    12 length    16 lent at, seconds    20 lender port

export const TOKEN_BYTES: u32 = 32;
export const TOKEN_SHIFT: u32 = 5;
export const TOKEN_WORD_OFFSET: u32 = 0;
export const TOKEN_HANDLE_OFFSET: u32 = 4;
export const TOKEN_OFFSET_OFFSET: u32 = 8;
export const TOKEN_LENGTH_OFFSET: u32 = 12;
export const TOKEN_TIME_OFFSET: u32 = 16;
export const TOKEN_STATE_MASK: u32 = 0x3;
export const TOKEN_FREE: u32 = 0;
export const TOKEN_FILLING: u32 = 1;
export const TOKEN_LENT: u32 = 2;
export const TOKEN_TAKING: u32 = 3;
export const TOKEN_PORT_SHIFT: u32 = 2;
export const TOKEN_PORT_MASK: u32 = 0x3fc;
export const TOKEN_SEQ_SHIFT: u32 = 10;
/** A loan's number is {sequence, index of the token}: this many low bits are the index. */
export const LOAN_INDEX_BITS: u32 = 16;

// ------------------------------------------------------------------------------------------------ reply slot, 32 bytes
//
//   0 word {sequence, server's port + 1, state}    4 handle    8 offset    12 length    16 status    20 channel
//
// A call's number, the tag of its entries: | 30..12 sequence | 11..6 asker's port | 5..0 slot |. The sequence moves on
// when the slot is free again, so an old number never fits.

export const REPLY_BYTES: u32 = 32;
export const REPLY_SHIFT: u32 = 5;
export const REPLY_HANDLE_OFFSET: u32 = 4;
export const REPLY_OFFSET_OFFSET: u32 = 8;
export const REPLY_LENGTH_OFFSET: u32 = 12;
export const REPLY_STATUS_OFFSET: u32 = 16;
export const REPLY_CHANNEL_OFFSET: u32 = 20;
export const REPLY_STATE_MASK: u32 = 0xf;
export const REPLY_FREE: u32 = 0;
/** Asked: the call is on its way to whoever serves it. */
export const REPLY_OUT: u32 = 1;
/** The port named has the call, and nobody else writes the slot's other words. */
export const REPLY_SERVING: u32 = 2;
/** The slot has a reference, which the asker collects. */
export const REPLY_ANSWERED: u32 = 3;
/** Nobody will answer: the status has the reason. */
export const REPLY_FAILED: u32 = 4;
/** The asker wants no answer any more; free when the port named, or whoever receives the call, has let go of it. */
export const REPLY_CANCELLED: u32 = 5;
export const REPLY_SERVER_SHIFT: u32 = 4;
export const REPLY_SERVER_MASK: u32 = 0xff0;
export const REPLY_SEQ_SHIFT: u32 = 12;
export const REPLY_SEQ_MASK: u32 = 0x7ffff000;
export const CALL_PORT_SHIFT: u32 = 6;
export const CALL_PORT_MASK: u32 = 0xfc0;
export const CALL_SLOT_MASK: u32 = 0x3f;
/** What is left of a call that nobody could serve to its end. */
export const STATUS_LOST: u32 = 0;
/** The reply is what the server gave. */
export const STATUS_DONE: u32 = 1;
/** The server refused or failed; the reply, where there is one, is its message. */
export const STATUS_REFUSED: u32 = 2;

// ---------------------------------------------------------------------------------------------------- return codes
//
// Negative results of the engines; src/errors.ts has the message and the remedy of each.

export const OK: i32 = 0;
export const ERR_STALE_HANDLE: i32 = -1;
export const ERR_FOREIGN_HANDLE: i32 = -2;
export const ERR_NOT_HELD: i32 = -3;
export const ERR_REF_OVERFLOW: i32 = -4;
export const ERR_NOT_DETACHABLE: i32 = -5;
export const ERR_CHANNEL_CLOSED: i32 = -6;
export const ERR_TOKEN_SPENT: i32 = -7;
export const ERR_RANGE: i32 = -8;
export const ERR_PIN: i32 = -9;
export const ERR_NO_TOKEN: i32 = -10;
/** Every reply slot of the port is taken. */
export const ERR_NO_REPLY_SLOT: i32 = -13;
/** The call is over for its caller: cancelled, or answered already. */
export const ERR_CALL_OVER: i32 = -14;
/** The channel is full; the sender keeps its reference. */
export const FULL: i32 = -11;
/** The ring is empty. */
export const EMPTY: i32 = -12;
