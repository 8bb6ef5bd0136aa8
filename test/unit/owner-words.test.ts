// The owner's words, one call at a time: which words each call reads and writes, and at which bounds.

import { beforeEach, describe, expect, it } from 'vitest';
import {
  AREAS_ANSWERED,
  AREAS_PULLED,
  AREAS_WANTED,
  CLAIM_ACTIVE,
  CLAIM_FREE,
  CLAIM_QUARANTINED,
  CLAIM_REAPING,
  CONTROL_BASE,
  DESCRIPTOR_HOME_OFFSET,
  DESCRIPTOR_PINS_OFFSET,
  EVENT_ONE_OFFSET,
  HEADER_AREAS_OFFSET,
  HEADER_DEMAND_OFFSET,
  HEADER_FREED_OFFSET,
  HEADER_OWNER_OFFSET,
  HEADER_RETIRED_OFFSET,
  HOME_FRESH,
  HOME_HELD,
  HOME_LEFT,
  HOME_RESERVE,
  HOME_RETIRED,
  HOME_RETURNED,
  HOME_STAMP_SHIFT,
  HOME_ZERO,
  PIN_LEFT,
  PORT_AREAS_OFFSET,
  PORT_BELL_OFFSET,
  PORT_CLAIM_OFFSET,
  PORT_WANT_OFFSET,
  RETIRED_INDEX_BITS,
  RETIRED_INDEX_MASK,
} from '../../assembly/layout.js';
import { isSeated, seatWord } from '../../src/control/claims.js';
import { loadWord } from '../../src/control/nodes.js';
import { descriptorAt, portOffset } from '../../src/control/places.js';
import {
  askAgain,
  demandCount,
  hide,
  lacking,
  publish,
  recallPage,
  setAreasEpoch,
  takeAsking,
  takeAtEnd,
  takeOffice,
  takeRetired,
  takeWants,
  unaware,
  withdraw,
} from '../../src/supply/owner-words.js';
import { Recall } from '../../src/supply/recall.js';
import { type EngineKind, KINDS, openPorts } from '../support/ports.js';
import { scripted } from '../support/scripted.js';

const PAGES = 100;
const STAMP = 5 << HOME_STAMP_SHIFT;

describe.each(KINDS)('with the %s engine', (kind: EngineKind) => {
  let owner: ReturnType<typeof openPorts>[0];
  let other: typeof owner;
  let third: typeof owner;
  let i32: Int32Array;

  function open(options = {}): void {
    const { provider } = scripted();
    const ports = openPorts({ pageBytes: 1024, pageCount: PAGES, maxPorts: 4, provider, ...options }, [kind], 3);
    [owner, other, third] = ports as [typeof owner, typeof owner, typeof owner];
    ({ i32 } = owner.memory);
  }
  beforeEach(() => open());

  const load = (address: number): number => loadWord(owner.memory, address);
  const store = (address: number, word: number): void => void Atomics.store(i32, address >>> 2, word | 0);
  const block = (id: number): number => portOffset(owner.geometry, id);
  const known = (id: number): number => load(block(id) + PORT_AREAS_OFFSET);
  const setKnown = (id: number, word: number): void => store(block(id) + PORT_AREAS_OFFSET, word);
  const home = (page: number): number => load(descriptorAt(owner.geometry, page) + DESCRIPTOR_HOME_OFFSET);
  const setHome = (page: number, word: number): void =>
    store(descriptorAt(owner.geometry, page) + DESCRIPTOR_HOME_OFFSET, word);
  const pins = (page: number): number => load(descriptorAt(owner.geometry, page) + DESCRIPTOR_PINS_OFFSET);
  const setPins = (page: number, word: number): void =>
    store(descriptorAt(owner.geometry, page) + DESCRIPTOR_PINS_OFFSET, word);
  /** Claim states follow the number of the claim: others stay as they are. */
  const setClaim = (id: number, state: number): void =>
    store(block(id) + PORT_CLAIM_OFFSET, (load(block(id) + PORT_CLAIM_OFFSET) & ~7) | state);
  /** The pages whose bits are set. */
  const bits = (offset: number): number[] =>
    Array.from({ length: PAGES + 1 }, (_, page) => page).filter(
      (page) => (load(offset + 4 * (page >>> 5)) >>> (page & 31)) & 1,
    );
  const listed = (): number[] => bits(owner.geometry.supplyBitsOffset);
  const retired = (): number[] => bits(owner.geometry.retiredBitsOffset);
  const hintOf = (offset: number): { index: number; stamp: number } => ({
    index: load(offset) & RETIRED_INDEX_MASK,
    stamp: load(offset) >>> RETIRED_INDEX_BITS,
  });
  const RETIRED_HINT = CONTROL_BASE + HEADER_RETIRED_OFFSET;

  it('names the owner, and counts its calls', () => {
    expect(load(CONTROL_BASE + HEADER_OWNER_OFFSET)).toBe(0);
    takeOffice(other);
    expect(load(CONTROL_BASE + HEADER_OWNER_OFFSET)).toBe(seatWord(other));
    expect(isSeated(other, load(CONTROL_BASE + HEADER_OWNER_OFFSET))).toBe(true);
    expect(demandCount(owner)).toBe(0);
    store(CONTROL_BASE + HEADER_DEMAND_OFFSET, 7);
    expect(demandCount(owner)).toBe(7);
    setAreasEpoch(owner, 9);
    expect(load(CONTROL_BASE + HEADER_AREAS_OFFSET)).toBe(9);
  });

  it('takes what all ports want, the first and the last, once', () => {
    expect(takeWants(owner)).toBe(0);
    for (const [id, want] of [5, 0, 7, 11].entries()) store(block(id) + PORT_WANT_OFFSET, want);
    expect(takeWants(owner)).toBe(23);
    expect([0, 1, 2, 3].map((id) => load(block(id) + PORT_WANT_OFFSET))).toEqual([0, 0, 0, 0]);
    expect(takeWants(owner)).toBe(0);
  });

  describe('ports that do not know an area', () => {
    const LAST = 0x7fffffff;
    it.each([
      ['is older by one', 4, 5, true],
      ['is the same', 5, 5, false],
      ['is newer', 6, 5, false],
      ['has gone round', 0, LAST, false],
      ['is about to go round', LAST, 0, true],
      ['is half the way behind', 5, 5 + 2 ** 30 - 1, true],
    ])('are those whose epoch %s', (_, has, since, isUnaware) => {
      setKnown(other.id, has);
      setKnown(third.id, since);
      expect(unaware(owner, since)).toEqual(isUnaware ? [other.id] : []);
    });

    it.each([
      ['pulls', AREAS_PULLED, []],
      ['asks for all', AREAS_WANTED, [1]],
      ['was answered', AREAS_ANSWERED, [1]],
      ['is behind', AREAS_ANSWERED - 1, []],
    ])('are not waited for where the thread %s', (_, word, lacks) => {
      for (const id of [1, 2]) setKnown(id, 5);
      setKnown(1, word);
      // The last one is an epoch, if one that no pool has.
      expect(unaware(owner, 5)).toEqual(word < AREAS_ANSWERED ? [1] : []);
      expect(lacking(owner)).toEqual(lacks);
    });

    it.each([
      ['active', CLAIM_ACTIVE, true],
      ['quarantined', CLAIM_QUARANTINED, true],
      ['free', CLAIM_FREE, false],
      ['being reaped', CLAIM_REAPING, false],
    ])('count where the port is %s', (_, state, counts) => {
      for (const id of [0, 1, 2]) setKnown(id, 5);
      setClaim(1, state);
      setKnown(1, 4);
      expect(unaware(owner, 5)).toEqual(counts ? [1] : []);
      setKnown(1, AREAS_WANTED);
      expect(lacking(owner)).toEqual(counts ? [1] : []);
    });

    it('are never the owner’s own, which lacks an area all the same where it asks', () => {
      for (const id of [0, 1, 2]) setKnown(id, 4);
      expect(unaware(owner, 5)).toEqual([1, 2]);
      expect(unaware(third, 5)).toEqual([0, 1]);
      setKnown(0, AREAS_ANSWERED);
      expect(lacking(owner)).toEqual([0]);
    });
  });

  it('ports are none behind the last one, whatever the words there say', () => {
    const behind = owner.geometry.maxPorts;
    for (const id of [0, 1, 2]) setKnown(id, 5);
    setClaim(behind, CLAIM_ACTIVE);
    setKnown(behind, 4);
    store(block(behind) + PORT_WANT_OFFSET, 9);
    expect([unaware(owner, 5), takeWants(owner)]).toEqual([[], 0]);
    setKnown(behind, AREAS_WANTED);
    expect([lacking(owner), takeAsking(owner), known(behind)]).toEqual([[], [], AREAS_WANTED]);
    const word = owner.geometry.retiredBitsOffset + 4 * ((PAGES >>> 5) + 1);
    store(word, 1);
    expect([takeRetired(owner), load(word)]).toEqual([[], 1]);
  });

  it('answers those who ask, once, and asks again for those who were not answered', () => {
    const words = [AREAS_WANTED, 3, AREAS_WANTED, AREAS_PULLED];
    for (const [id, word] of words.entries()) setKnown(id, word);
    expect(takeAsking(owner)).toEqual([0, 2]);
    expect([0, 1, 2, 3].map(known)).toEqual([AREAS_ANSWERED, 3, AREAS_ANSWERED, AREAS_PULLED]);
    expect(takeAsking(owner)).toEqual([]);
    setKnown(2, 8); // it has learned of all meanwhile
    askAgain(owner, [0, 2]);
    expect([0, 1, 2, 3].map(known)).toEqual([AREAS_WANTED, 3, 8, AREAS_PULLED]);
    askAgain(owner, []);
    expect(takeAsking(owner)).toEqual([0]);
  });

  describe('pages that go out', () => {
    it.each([false, true])('are listed at their words’ bounds, reserve=%s, and keep their stamps', (isReserve) => {
      const pages = [64, 31, 32, 63, 100];
      for (const page of pages) setHome(page, STAMP | HOME_RETURNED | HOME_ZERO);
      const before = hintOf(owner.geometry.supplyHintOffset);
      publish(owner, pages, isReserve);
      expect(listed()).toEqual([31, 32, 63, 64, 100]);
      for (const page of pages) expect(home(page)).toBe(STAMP | HOME_FRESH | (isReserve ? HOME_RESERVE : 0));
      const after = hintOf(owner.geometry.supplyHintOffset);
      expect(after).toEqual({ index: 0, stamp: before.stamp + 1 });
      expect(home(65)).toBe(HOME_RETURNED & home(65));
    });

    it('lower the hint to the first of them, and never raise it', () => {
      const hint = owner.geometry.supplyHintOffset;
      store(hint, 9);
      publish(owner, [70, 96], false);
      expect(hintOf(hint)).toEqual({ index: 2, stamp: 1 });
      publish(owner, [100], false);
      expect(hintOf(hint)).toEqual({ index: 2, stamp: 2 });
      publish(owner, [32], false);
      expect(hintOf(hint)).toEqual({ index: 1, stamp: 3 });
    });

    it('are told to those who wait for pages', () => {
      const event = CONTROL_BASE + HEADER_FREED_OFFSET;
      other.engine.arm(event, 0);
      const bell = block(other.id) + PORT_BELL_OFFSET;
      const [rings, armed] = [load(bell), load(event + EVENT_ONE_OFFSET)];
      expect(armed).not.toBe(0);
      publish(owner, [1], false);
      expect([load(bell), load(event + EVENT_ONE_OFFSET)]).toEqual([rings + 1, 0]);
    });

    it('are taken back where nobody took them: those of the range that are out, and fresh', () => {
      const isOut = new Uint8Array(PAGES + 1).fill(1);
      for (let page = 1; page <= PAGES; page++) setHome(page, STAMP | HOME_FRESH);
      isOut[33] = 0;
      setHome(34, STAMP | HOME_HELD);
      setHome(35, STAMP | HOME_FRESH | HOME_RESERVE);
      setHome(36, STAMP | HOME_FRESH | HOME_ZERO);
      const before = hintOf(RETIRED_HINT).stamp;
      store(RETIRED_HINT, (before << RETIRED_INDEX_BITS) | 3);
      withdraw(owner, 32, 6, isOut);
      expect(retired()).toEqual([32, 35, 36, 37]);
      expect([31, 32, 33, 34, 35, 36, 37, 38].map((page) => home(page) & ~STAMP)).toEqual([
        HOME_FRESH,
        HOME_RETIRED,
        HOME_FRESH,
        HOME_HELD,
        HOME_RETIRED | HOME_RESERVE,
        HOME_RETIRED,
        HOME_RETIRED,
        HOME_FRESH,
      ]);
      expect(home(32) & STAMP).toBe(STAMP);
      expect(hintOf(RETIRED_HINT)).toEqual({ index: 1, stamp: before + 4 });
    });

    it.each([false, true])('are as ones that came home where they were not listed yet, reserve=%s', (isReserve) => {
      setHome(40, STAMP | HOME_RETURNED);
      hide(owner, 40, isReserve);
      expect(home(40)).toBe(STAMP | HOME_RETIRED | (isReserve ? HOME_RESERVE : 0));
      expect(retired()).toEqual([40]);
      expect(takeRetired(owner)).toEqual([40]);
    });
  });

  describe('pages that come home', () => {
    const retire = (page: number): void => {
      setHome(page, STAMP | HOME_RETURNED);
      hide(owner, page, false);
    };

    it('are taken from every word, the first and the last, once, with their pins', () => {
      const pages = [1, 31, 32, 63, 64, 100];
      for (const page of pages) retire(page);
      setPins(32, PIN_LEFT | 1);
      setHome(33, HOME_HELD);
      i32[(owner.geometry.retiredBitsOffset + 4) >>> 2] = (i32[(owner.geometry.retiredBitsOffset + 4) >>> 2] ?? 0) | 2;
      expect(takeRetired(owner)).toEqual(pages); // and not 33, whose bit is one too many
      expect(retired()).toEqual([]);
      for (const page of pages) expect([home(page), pins(page)]).toEqual([STAMP | HOME_RETURNED, 0]);
      expect(home(33)).toBe(HOME_HELD);
      expect(takeRetired(owner)).toEqual([]);
    });

    it('are looked for from the hint on, which stands behind the last word then', () => {
      expect(takeRetired(owner)).toEqual([]);
      retire(70);
      expect(hintOf(RETIRED_HINT).index).toBe(2);
      const { stamp } = hintOf(RETIRED_HINT);
      i32[owner.geometry.retiredBitsOffset >>> 2] = 2; // before the hint: nobody looks there
      expect(takeRetired(owner)).toEqual([70]);
      expect(retired()).toEqual([1]);
      expect(hintOf(RETIRED_HINT)).toEqual({ index: (PAGES >>> 5) + 1, stamp });
      retire(99);
      expect(hintOf(RETIRED_HINT)).toEqual({ index: 3, stamp: stamp + 1 });
      expect(takeRetired(owner)).toEqual([99]);
    });

    it('at the end are all but those that left with a pin', () => {
      setHome(5, STAMP | HOME_FRESH);
      setHome(6, STAMP | HOME_LEFT);
      expect([takeAtEnd(owner, 5), takeAtEnd(owner, 6)]).toEqual([true, false]);
      expect([home(5), home(6)]).toEqual([STAMP | HOME_RETURNED, STAMP | HOME_LEFT]);
    });

    it('are found by their states where the pool has pages of its own', () => {
      const reserve = { provider: scripted().provider, pageCount: 40 };
      open({ pageCount: 60, provider: 'wasm-memory', reserve });
      const { ownPages } = owner.geometry;
      expect(ownPages).toBe(60);
      for (const page of [60, 61, 64, 100]) setHome(page, STAMP | HOME_RETIRED);
      const before = load(RETIRED_HINT);
      hide(owner, 70, true);
      expect([retired(), load(RETIRED_HINT)]).toEqual([[], before]);
      expect(takeRetired(owner)).toEqual([61, 64, 70, 100]);
      expect(home(60)).toBe(STAMP | HOME_RETIRED); // the pool's own
    });
  });

  describe('pages that are called home', () => {
    it.each([
      ['held and pinned by nobody', HOME_HELD, 0, 1, true],
      ['held and pinned', HOME_HELD, 1, 1, false],
      ['fresh', HOME_FRESH, 0, 0, false],
      ['retired', HOME_RETIRED, 0, 0, false],
      ['about to leave', HOME_LEFT, 1, 1, false],
    ])('get a pin of the owner where they are %s: %s', (_, state, had, has, isRecalled) => {
      const recalled = new Set<number>();
      setHome(7, state);
      setPins(7, had);
      recallPage(owner, 7, recalled);
      expect([pins(7), recalled.has(7)]).toEqual([has, isRecalled]);
    });

    it('lose the owner’s pin when they have left, and that of nobody else', () => {
      const recalled = new Set([7]);
      for (const page of [7, 8]) setHome(page, HOME_LEFT);
      setPins(7, 1);
      recallPage(owner, 7, recalled); // on its way: LEFT is not there yet
      expect([pins(7), [...recalled]]).toEqual([1, [7]]);
      for (const page of [7, 8]) setPins(page, PIN_LEFT | 2);
      for (const page of [7, 8, 7]) recallPage(owner, page, recalled);
      expect([pins(7) & 0xffffff, pins(8) & 0xffffff, [...recalled]]).toEqual([1, 2, []]);
    });

    it('are those of the area that are out; what is stopped, and what came home, is called no more', () => {
      const recall = new Recall(owner);
      const isOut = new Uint8Array(PAGES + 1).fill(1);
      isOut[12] = 0;
      for (let page = 9; page <= 16; page++) setHome(page, HOME_HELD);
      const pinned = (): number[] => [9, 10, 11, 12, 13, 14, 15, 16].filter((page) => pins(page) % 2 ** 24 !== 0);
      recall.start({ firstPage: 10, pages: 6 }, isOut);
      expect([pinned(), recall.ownPins()]).toEqual([[10, 11, 13, 14, 15], 5]);
      setPins(11, 2); // another one's beside it
      expect(recall.ownPins()).toBe(4);
      recall.done([13]);
      expect(recall.ownPins()).toBe(3);
      recall.stop({ firstPage: 11, pages: 4 }); // 11 to 14
      expect([pinned(), pins(11) % 2 ** 24, recall.ownPins()]).toEqual([[10, 11, 13, 15], 1, 2]);
      recall.stop();
      expect([pinned(), recall.ownPins()]).toEqual([[11, 13], 0]);
      recall.stop();
      expect(pinned()).toEqual([11, 13]);
    });
  });
});
