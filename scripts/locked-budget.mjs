// How many locked operations a function may hold: what scripts/count-locked.mjs compares the release binary with.
//
// Key: a name that the binary exports, or an internal one as in the .wat without its `$`: `assembly/ring/ringPush`.
// `max`: locked operations in its body, whichever branch they stand in. `descend`: functions (same names) whose
// operations count too, once for each call; every other call is a slow tier and is not followed. The budgets are those
// of docs/architecture.md, "What an operation costs"; where a body has branches, `what` says how many of them one call
// passes.

/** @type {Record<string, { max: number, descend?: string[], what?: string }>} */
export const lockedBudget = {
  alloc: { max: 0, what: 'alloc, cache hit' },
  release: { max: 0, what: 'last release, cache has room' },
  allocBurst: { max: 0, what: 'burst, cache hits' },
  releaseBulk: { max: 0, descend: ['release'], what: 'burst, cache has room' },
  allocFragment: { max: 1, what: 'none for a cut of the open page; one where a page is opened' },
  'assembly/refcount/releaseShared': { max: 1, what: 'a fragment while others of its page live: the count' },
  'assembly/refcount/releaseChecked': {
    max: 2,
    descend: ['assembly/refcount/releaseShared'],
    what: 'a fragment held twice: word and count; none while all references of the page are the own',
  },
  retain: { max: 2, what: 'word and count; none while all references of the page are the own' },
  pin: { max: 1, what: 'one a call' },
  unpin: { max: 2, what: 'one a call: an earlier one, or the last' },
  'assembly/ring/ringPop': { max: 2, what: 'refill: the slot, and every 8th time the head' },
  'assembly/ring/ringPush': {
    max: 3,
    what: 'flush: the slot, and every 8th time the tail; the third moves the head with it when it replaces',
  },
  'assembly/cache/exchangeSpare': { max: 1, what: 'loaded against spare: the word' },
  send: {
    max: 3,
    descend: ['assembly/ring/ringPush'],
    what: 'single or burst of a batch: the slot, and every 8th time the tail, as in ringPush',
  },
  receiveBurst: { max: 2, what: 'the slot, and every 8th time the head; where that was not its place, ringPop' },
  'assembly/reply/claimCall': {
    max: 2,
    what: "accept: the slot, taken; or a cancelled one is freed, and the asker's bell",
  },
  ask: { max: 2, what: 'the slot: out, or free again where the ring is full; send comes on top' },
  accept: { max: 0, descend: [], what: 'the slot and the entries: claimCall and receive' },
  reply: { max: 4, what: "the slot, answered; or cancelled, and let go of; the asker's bell with each" },
  collect: { max: 1, what: 'the slot, free again' },
  cancel: { max: 2, what: "the slot; the server's bell, where it has the call" },
  offset: { max: 0, what: 'where a fragment lies' },
  extent: { max: 0, what: 'how long it is' },
  refCount: { max: 0, what: 'a read' },
};
