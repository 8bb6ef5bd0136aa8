// Settling and reaping, word by word: each record of a dead port with both of its outcomes, what was half done beside
// it, full rows, and whatever belongs to others. All that a step changes is written down by address; nothing else may.

import { describe, expect, it } from 'vitest';
import {
  BIAS,
  BIAS_THRESHOLD,
  CLAIM_ACTIVE,
  CLAIM_REAPER_SHIFT,
  CLAIM_REAPING,
  CLAIM_SEQ_SHIFT,
  CONTROL_BASE,
  COUNTER_REPAIRED,
  COUNTER_SUSPECT,
  DESCRIPTOR_COUNT_OFFSET,
  DESCRIPTOR_HOME_OFFSET,
  DESCRIPTOR_PINS_OFFSET,
  DESCRIPTOR_SUSPECT_OFFSET,
  EVENT_KNOWN_OFFSET,
  EVENT_ONE_OFFSET,
  EVENT_SEVERAL_OFFSET,
  EXCHANGE_ADDRESS_OFFSET,
  EXCHANGE_BYTES,
  EXCHANGE_HOLDER_OFFSET,
  EXCHANGE_NEW_OFFSET,
  EXCHANGE_SEEN_OFFSET,
  HEADER_FREED_OFFSET,
  HEADER_OWNER_OFFSET,
  HEADER_REAPS_OFFSET,
  HEADER_RETIRED_OFFSET,
  HOME_FRESH,
  HOME_HELD,
  HOME_LEFT,
  HOME_PORT_SHIFT,
  HOME_RESERVE,
  HOME_RETIRED,
  HOME_RETURNED,
  HOME_STAMP_SHIFT,
  LANE_CREDIT_OFFSET,
  LANE_INBOX_OFFSET,
  LANE_OUTBOX_OFFSET,
  LEDGER_MAX,
  NODE_COUNT_OFFSET,
  NODE_ENTRIES_OFFSET,
  NODE_MORE_OFFSET,
  NODE_OWNER_OFFSET,
  NODE_PAGES_OFFSET,
  NODE_TAKEN_OFFSET,
  PIN_LAST_SHIFT,
  PIN_LEFT,
  PORT_AREAS_OFFSET,
  PORT_BELL_OFFSET,
  PORT_BYTES,
  PORT_CLAIM_OFFSET,
  PORT_COUNTERS_OFFSET,
  PORT_COUNTING_OFFSET,
  PORT_EXCHANGES_OFFSET,
  PORT_FRAGMENT_OFFSET,
  PORT_FRAGMENT_PAGE_OFFSET,
  PORT_HOLD_OFFSET,
  PORT_LOADED_OFFSET,
  PORT_MERGE_OFFSET,
  PORT_RECORD_ADDRESS_OFFSET,
  PORT_RECORD_KIND_OFFSET,
  PORT_RECORD_PAGE_OFFSET,
  PORT_RECORD_VALUE_OFFSET,
  PORT_RELEASE_OFFSET,
  PORT_TURN_OFFSET,
  PORT_WANT_OFFSET,
  PORT_WATCHED_OFFSET,
  RECORD_BACK,
  RECORD_CLAIM,
  RECORD_CUT,
  RECORD_ENTRY,
  RECORD_EXCHANGE,
  RECORD_INDEX_SHIFT,
  RECORD_LEAVE,
  RECORD_PINNED,
  RECORD_RECEIVE,
  RECORD_REPLY,
  RECORD_RETIRE,
  RECORD_ROW_SHIFT,
  RECORD_TOKEN,
  REPLY_ANSWERED,
  REPLY_CANCELLED,
  REPLY_FREE,
  REPLY_OUT,
  REPLY_SEQ_SHIFT,
  REPLY_SERVER_SHIFT,
  REPLY_SERVING,
  RETIRED_INDEX_BITS,
  TOKEN_FILLING,
  TOKEN_FREE,
  TOKEN_HANDLE_OFFSET,
  TOKEN_LENT,
  TOKEN_PORT_SHIFT,
  TOKEN_SEQ_SHIFT,
  TOKEN_TAKING,
  WORD_GENERATION_SHIFT,
} from '../../assembly/layout.js';
import type { ChannelGeometry } from '../../src/control/geometry.js';
import { channelEvents, laneOffset, nodeOffset } from '../../src/control/nodes.js';
import { descriptorAt, portOffset, rowIndex } from '../../src/control/places.js';
import { runSteps } from '../../src/control/steps.js';
import type { PoolOptions } from '../../src/pool/options.js';
import type { Port } from '../../src/port/port.js';
import { DeadPort } from '../../src/recovery/dead-port.js';
import { claimDead, emptyFindings, type Findings, reapClaimed } from '../../src/recovery/reap.js';
import { settleRecord } from '../../src/recovery/settle.js';
import { openPorts, pageOf, requireBalance } from '../support/ports.js';
import { Expected } from '../support/words.js';

/** The port that is dead, and its number + 1 as words name it. */
const DEAD = 1;
const NAME = DEAD + 1;
const PAGE = 5;
const OPTIONS: PoolOptions = {
  pageBytes: 1024,
  unitBytes: 64,
  pageCount: 40,
  maxPorts: 4,
  tokens: 4,
  channels: { first: { capacity: 4, batch: 4 }, second: { capacity: 4, batch: 4 } },
};

/** A pool whose port 1 is dead, and the words that a test puts where a death left them. */
class Scene {
  readonly ports: Port[];
  readonly dead: DeadPort;
  readonly cleared: number[] = [];

  constructor(options: PoolOptions = {}, count = options.maxPorts ?? 4) {
    this.ports = openPorts({ ...OPTIONS, ...options }, ['typescript'], count);
    const { memory, geometry } = this.port;
    this.dead = new DeadPort(memory, geometry, DEAD, (page) => this.cleared.push(page));
  }

  get port(): Port {
    return this.ports[0] as Port;
  }
  get geometry() {
    return this.port.geometry;
  }
  get block(): number {
    return portOffset(this.geometry, DEAD);
  }
  channel(at: number): ChannelGeometry {
    return this.geometry.channels[at] as ChannelGeometry;
  }

  set(address: number, value: number): void {
    this.port.memory.u32[address >>> 2] = value;
  }
  get(address: number): number {
    return this.port.memory.u32[address >>> 2] as number;
  }
  setRow(page: number, references: number, id = DEAD): void {
    this.port.memory.u16[rowIndex(this.geometry, id, page)] = references;
  }
  row(page: number, id = DEAD): number {
    return this.port.memory.u16[rowIndex(this.geometry, id, page)] as number;
  }
  descriptor(page = PAGE): number {
    return descriptorAt(this.geometry, page);
  }
  magazine(holder: number, id = DEAD): number {
    return nodeOffset(this.geometry.ring, this.get(portOffset(this.geometry, id) + holder));
  }
  node(at: number, holder: number, id = DEAD): number {
    return nodeOffset(this.channel(at).ring, this.get(laneOffset(this.channel(at), id) + holder));
  }
  /** A handle of the page's first unit; the generation plays no part here. */
  handle(page: number): number {
    return page << this.geometry.unitsPerPageShift;
  }

  record(kind: number, words: { [word: string]: number }): void {
    const { address = 0, page = 0, row = 0, index = 0, value = 0 } = words;
    const block = this.block;
    this.set(block + PORT_RECORD_ADDRESS_OFFSET, address);
    this.set(block + PORT_RECORD_PAGE_OFFSET, page);
    this.set(block + PORT_RECORD_VALUE_OFFSET, value);
    this.set(block + PORT_RECORD_KIND_OFFSET, kind | (index << RECORD_INDEX_SHIFT) | (row << RECORD_ROW_SHIFT));
  }

  /** A record of an exchange, the first or the second one of a port. */
  exchange(turn: number, words: { address: number; seen: number; next?: number; holder?: number }, id = DEAD): void {
    const { address, seen, next = 0, holder = 0 } = words;
    const record = portOffset(this.geometry, id) + PORT_EXCHANGES_OFFSET + turn;
    this.set(record + EXCHANGE_ADDRESS_OFFSET, address);
    this.set(record + EXCHANGE_SEEN_OFFSET, seen);
    this.set(record + EXCHANGE_NEW_OFFSET, next);
    this.set(record + EXCHANGE_HOLDER_OFFSET, holder);
  }

  /** Settles the record: the words that `expected` writes change, the record is closed, and nothing else happens. */
  expectSettled(expected: (want: Expected) => void): void {
    const want = new Expected(this.port.memory, this.geometry);
    expected(want);
    want.set(this.block + PORT_RECORD_KIND_OFFSET, 0);
    expect(runSteps(settleRecord(this.dead), () => this.port.engine)).toBe(true);
    expect(want.differences(this.port.memory)).toEqual([]);
    // A reaper that dies is followed by one that finds nothing to settle.
    expect(runSteps(settleRecord(this.dead), () => this.port.engine)).toBe(false);
    expect(want.differences(this.port.memory)).toEqual([]);
  }

  /** Reaps the port as port 0 does it. */
  reap(): Findings {
    const claim = this.get(this.block + PORT_CLAIM_OFFSET);
    const findings = emptyFindings(DEAD);
    const engine = () => this.ports[DEAD]?.engine as Port['engine'];
    expect(runSteps(claimDead(this.dead, claim, 0), engine)).toBe(true);
    const { scratchOffset, scratchBytes } = this.geometry;
    runSteps(reapClaimed(this.dead, 0, scratchOffset + DEAD * scratchBytes, findings), engine);
    this.set(CONTROL_BASE + HEADER_REAPS_OFFSET, 1); // as PortReaper does: from now on counts tell less
    return findings;
  }
}

const nothing = (): void => {};

describe('an exchange of nodes', () => {
  const SEEN = 3;
  const NEXT = 6;

  /** The exchange of node NEXT, the port's, for node SEEN in a word that says `now`. */
  function exchanged(
    now: number,
    options: { holder?: (scene: Scene) => number; owner?: number; turn?: number } = {},
  ): Scene {
    const scene = new Scene();
    const { ring } = scene.geometry;
    const holder = options.holder?.(scene) ?? scene.block + PORT_LOADED_OFFSET;
    scene.set(ring.slotsOffset, now);
    scene.set(nodeOffset(scene.dead.ringOf(holder), NEXT) + NODE_OWNER_OFFSET, options.owner ?? NAME);
    const turn = options.turn ?? 0;
    scene.exchange(turn, { address: ring.slotsOffset, seen: SEEN, next: NEXT, holder });
    scene.set(scene.block + PORT_TURN_OFFSET, turn);
    scene.record(RECORD_EXCHANGE, { index: turn });
    return scene;
  }
  const happened = (scene: Scene, holder = scene.block + PORT_LOADED_OFFSET, ring = scene.geometry.ring, turn = 0) =>
    scene.expectSettled((want) => {
      want.set(scene.block + PORT_TURN_OFFSET, turn ^ EXCHANGE_BYTES);
      want.set(nodeOffset(ring, SEEN) + NODE_OWNER_OFFSET, NAME);
      want.set(holder, SEEN);
    });

  it('happened where the word is there', () => happened(exchanged(NEXT)));

  it('is in the second record where the port was at that one, and the next one is the first again', () => {
    const scene = exchanged(NEXT, { turn: EXCHANGE_BYTES });
    happened(scene, undefined, undefined, EXCHANGE_BYTES);
  });

  it('did not happen where the word is not, and nobody saw it', () => exchanged(SEEN).expectSettled(nothing));

  it('happened where the node has another owner by now', () => happened(exchanged(SEEN, { owner: 0 })));

  it.each([0, 2, 3])('happened where the record of port %d saw the word at that address', (id) => {
    for (const turn of [0, EXCHANGE_BYTES]) {
      const scene = exchanged(SEEN);
      scene.exchange(turn, { address: scene.geometry.ring.slotsOffset, seen: NEXT }, id);
      happened(scene);
    }
  });

  it('did not happen where another record saw that word elsewhere, or another word there', () => {
    const scene = exchanged(SEEN);
    const { slotsOffset } = scene.geometry.ring;
    for (const turn of [0, EXCHANGE_BYTES]) {
      scene.exchange(turn, { address: slotsOffset + 4, seen: NEXT }, 2);
      scene.exchange(turn, { address: slotsOffset, seen: NEXT + 1 }, 3);
    }
    scene.expectSettled(nothing);
  });

  it.each([
    ['first', 0],
    ['second', 1],
  ] as const)('is of the nodes of the %s channel where the port keeps the node there', (_, at) => {
    for (const offset of [LANE_INBOX_OFFSET, LANE_OUTBOX_OFFSET]) {
      const holderOf = (scene: Scene) => laneOffset(scene.channel(at), DEAD) + offset;
      const scene = exchanged(NEXT, { holder: holderOf });
      happened(scene, holderOf(scene), scene.channel(at).ring);
    }
  });

  it('takes no word beside the lanes for one of a channel', () => {
    const { dead, geometry } = new Scene();
    const [first] = geometry.channels as [ChannelGeometry];
    expect(dead.ringOf(laneOffset(first, 0))).toBe(first.ring);
    expect(dead.ringOf(laneOffset(first, geometry.maxPorts) - 4)).toBe(first.ring);
    expect(dead.ringOf(laneOffset(first, 0) - 4)).toBe(geometry.ring);
    expect(dead.ringOf(laneOffset(first, geometry.maxPorts))).toBe(geometry.ring);
  });
});

describe('a cut of the open fragment page', () => {
  const UNIT = 3;
  const unitsPerPage = 16;
  const wordOf = (scene: Scene, unit: number) => scene.geometry.fragmentWordsOffset + 4 * unit;
  const cut = (scene: Scene, first: number): void => {
    scene.set(scene.block + PORT_FRAGMENT_PAGE_OFFSET, PAGE);
    scene.set(scene.block + PORT_FRAGMENT_OFFSET, ((first + 2) << 16) | 2);
    scene.setRow(PAGE, 2);
    scene.record(RECORD_CUT, { row: 1, value: (first << 16) | 1 });
  };
  const undone = (scene: Scene, want: Expected, first: number): void => {
    want.setRow(DEAD, PAGE, 1);
    want.set(scene.block + PORT_FRAGMENT_OFFSET, (first << 16) | 1);
  };

  it('is undone, and the unit of the next cut has no holder, with the next generation', () => {
    const scene = new Scene();
    const word = wordOf(scene, PAGE * unitsPerPage + UNIT);
    cut(scene, UNIT);
    scene.set(word, (7 << WORD_GENERATION_SHIFT) | 1);
    scene.expectSettled((want) => {
      undone(scene, want, UNIT);
      want.set(word, 8 << WORD_GENERATION_SHIFT);
    });
  });

  it('leaves a unit as it is that has no holder yet', () => {
    const scene = new Scene();
    cut(scene, UNIT);
    scene.set(wordOf(scene, PAGE * unitsPerPage + UNIT), 7 << WORD_GENERATION_SHIFT);
    scene.expectSettled((want) => undone(scene, want, UNIT));
  });

  it('comes around with the generation', () => {
    const scene = new Scene();
    const word = wordOf(scene, PAGE * unitsPerPage + UNIT);
    const last = 2 ** scene.geometry.generationBits - 1;
    cut(scene, UNIT);
    scene.set(word, (last << WORD_GENERATION_SHIFT) | 1);
    scene.expectSettled((want) => {
      undone(scene, want, UNIT);
      want.set(word, 0);
    });
  });

  it('vacates nothing where the page was full: the unit behind it is another page’s', () => {
    const scene = new Scene();
    cut(scene, unitsPerPage);
    const next = wordOf(scene, (PAGE + 1) * unitsPerPage);
    scene.set(next, (7 << WORD_GENERATION_SHIFT) | 1);
    scene.expectSettled((want) => undone(scene, want, unitsPerPage));
  });

  it('vacates the last unit of the page', () => {
    const scene = new Scene();
    cut(scene, unitsPerPage - 1);
    const word = wordOf(scene, PAGE * unitsPerPage + unitsPerPage - 1);
    scene.set(word, (7 << WORD_GENERATION_SHIFT) | 1);
    scene.expectSettled((want) => {
      undone(scene, want, unitsPerPage - 1);
      want.set(word, 8 << WORD_GENERATION_SHIFT);
    });
  });
});

describe('an entry between row and node', () => {
  const entries = (scene: Scene, node: number): void => {
    for (let i = 0; i < 3; i++) scene.set(node + NODE_ENTRIES_OFFSET + 16 * i, scene.handle(PAGE + i));
    scene.set(node + NODE_COUNT_OFFSET, 3);
    scene.set(node + NODE_TAKEN_OFFSET, 3);
    for (let i = 0; i < 3; i++) scene.setRow(PAGE + i, 9);
  };

  it('is in the row again where it was sent', () => {
    const scene = new Scene();
    const node = scene.node(0, LANE_OUTBOX_OFFSET);
    entries(scene, node);
    scene.record(RECORD_ENTRY, { row: 4, index: 2, address: node });
    scene.expectSettled((want) => {
      want.setRow(DEAD, PAGE + 2, 4);
      want.set(node + NODE_COUNT_OFFSET, 2);
    });
  });

  it('is in the node again where it was taken back: the last of them', () => {
    const scene = new Scene();
    const node = scene.node(0, LANE_OUTBOX_OFFSET);
    entries(scene, node);
    scene.set(node + NODE_COUNT_OFFSET, 2);
    scene.record(RECORD_BACK, { row: 4, index: 3, address: node });
    scene.expectSettled((want) => {
      want.setRow(DEAD, PAGE + 2, 4);
      want.set(node + NODE_COUNT_OFFSET, 3);
    });
  });

  it('is in the node again where it was received', () => {
    const scene = new Scene();
    const node = scene.node(1, LANE_INBOX_OFFSET);
    entries(scene, node);
    scene.record(RECORD_RECEIVE, { row: 4, index: 1, address: node });
    scene.expectSettled((want) => {
      want.setRow(DEAD, PAGE + 1, 4);
      want.set(node + NODE_TAKEN_OFFSET, 1);
    });
  });
});

describe('a page taken from the provider', () => {
  const HOME = ((9 << HOME_STAMP_SHIFT) | (NAME << HOME_PORT_SHIFT) | HOME_HELD) >>> 0;

  function taken(home: number, next = HOME): Scene {
    const scene = new Scene();
    scene.set(scene.descriptor() + DESCRIPTOR_HOME_OFFSET, home);
    scene.record(RECORD_CLAIM, { page: PAGE, address: next, value: 20 });
    return scene;
  }

  it('is held and counted where its home word is the one to come', () => {
    const scene = taken(HOME);
    scene.expectSettled((want) => {
      want.setRow(DEAD, PAGE, 1);
      want.set(scene.block + PORT_HOLD_OFFSET, 21);
    });
  });

  it.each([
    ['without the mark of its last leaving', (PIN_LEFT | (3 << PIN_LAST_SHIFT)) >>> 0, 0],
    ['with the pin by which the owner called it back', 1, 1],
    ['with as many pins as there can be', PIN_LEFT - 1, PIN_LEFT - 1],
  ] as const)('is held %s', (_, before, after) => {
    const scene = taken(HOME);
    scene.set(scene.descriptor() + DESCRIPTOR_PINS_OFFSET, before);
    scene.expectSettled((want) => {
      want.setRow(DEAD, PAGE, 1);
      want.set(scene.block + PORT_HOLD_OFFSET, 21);
      want.set(scene.descriptor() + DESCRIPTOR_PINS_OFFSET, after);
    });
  });

  it.each([PORT_LOADED_OFFSET, PORT_MERGE_OFFSET])('has no holder where it is in a magazine (%d)', (holder) => {
    const scene = taken(HOME);
    const magazine = scene.magazine(holder);
    scene.set(magazine + NODE_COUNT_OFFSET, 2);
    scene.set(magazine + NODE_PAGES_OFFSET, PAGE);
    scene.set(magazine + NODE_PAGES_OFFSET + 4, PAGE + 1);
    scene.expectSettled((want) => want.set(scene.block + PORT_HOLD_OFFSET, 21));
  });

  it.each([PAGE, 31, 32, 40])('is listed again where page %d is retired still', (page) => {
    const scene = new Scene();
    const bits = scene.geometry.retiredBitsOffset + 4 * (page >>> 5);
    const hint = CONTROL_BASE + HEADER_RETIRED_OFFSET;
    scene.set(bits, 0x100);
    scene.set(hint, (4 << RETIRED_INDEX_BITS) | 2);
    scene.set(scene.descriptor(page) + DESCRIPTOR_HOME_OFFSET, HOME_RETIRED);
    scene.record(RECORD_CLAIM, { page, address: HOME, value: 20 });
    scene.expectSettled((want) => {
      want.set(bits, (0x100 | (1 << (page & 31))) >>> 0);
      want.set(hint, (5 << RETIRED_INDEX_BITS) | (page >>> 5));
    });
  });

  it('leaves a hint that stands before the page where it is, and raises its stamp', () => {
    const scene = new Scene();
    const hint = CONTROL_BASE + HEADER_RETIRED_OFFSET;
    scene.set(hint, 7 << RETIRED_INDEX_BITS);
    scene.set(scene.descriptor(35) + DESCRIPTOR_HOME_OFFSET, HOME_RETIRED);
    scene.record(RECORD_CLAIM, { page: 35, address: HOME, value: 20 });
    scene.expectSettled((want) => {
      want.set(scene.geometry.retiredBitsOffset + 4, 8);
      want.set(hint, 8 << RETIRED_INDEX_BITS);
    });
  });

  it.each([
    ['fresh, and found by counting up', HOME_FRESH],
    ['another port’s by now', ((9 << HOME_STAMP_SHIFT) | (1 << HOME_PORT_SHIFT) | HOME_HELD) >>> 0],
    ['of a later use', ((10 << HOME_STAMP_SHIFT) | (NAME << HOME_PORT_SHIFT) | HOME_HELD) >>> 0],
    ['pinned and gone', HOME_LEFT],
    ['with its provider', HOME_RETURNED],
  ] as const)('is left alone where it is %s', (_, home) => taken(home).expectSettled(nothing));

  it('was not looked at yet where no word was to come', () => taken(0, 0).expectSettled(nothing));
});

describe('a page in an area of a provider', () => {
  const provider = {
    kind: 'none',
    readable: true,
    detachable: true,
    init: () => {},
    grow: () => {},
    retire: () => {},
    describe: () => ({}),
    uninstall: () => {},
    destroy: () => {},
  };
  const areas = () => new Scene({ provider });

  it('is listed for ports where it was fed and not taken', () => {
    const scene = areas();
    const { supplyBitsOffset, supplyHintOffset, retiredBitsOffset, ownPages } = scene.geometry;
    expect([ownPages, supplyBitsOffset === retiredBitsOffset]).toEqual([0, false]);
    scene.set(scene.descriptor() + DESCRIPTOR_HOME_OFFSET, HOME_FRESH);
    scene.record(RECORD_CLAIM, { page: PAGE, address: 77, value: 20 });
    scene.expectSettled((want) => {
      want.set(supplyBitsOffset, 1 << PAGE);
      want.set(supplyHintOffset, 1 << RETIRED_INDEX_BITS);
    });
  });

  it('is listed for the owner where it retired', () => {
    const scene = areas();
    scene.set(scene.descriptor() + DESCRIPTOR_HOME_OFFSET, HOME_RETIRED);
    scene.record(RECORD_CLAIM, { page: PAGE, address: 77, value: 20 });
    scene.expectSettled((want) => {
      want.set(scene.geometry.retiredBitsOffset, 1 << PAGE);
      want.set(CONTROL_BASE + HEADER_RETIRED_OFFSET, 1 << RETIRED_INDEX_BITS);
    });
  });

  it('is cleared by the area where the pool promises that', () => {
    const scene = new Scene({ provider, zero: 'on-release' });
    const home = ((9 << HOME_STAMP_SHIFT) | (1 << HOME_PORT_SHIFT) | HOME_LEFT) >>> 0;
    scene.set(scene.descriptor() + DESCRIPTOR_HOME_OFFSET, home);
    scene.set(scene.descriptor() + DESCRIPTOR_PINS_OFFSET, (PIN_LEFT | (NAME << PIN_LAST_SHIFT)) >>> 0);
    scene.record(RECORD_RETIRE, { page: PAGE, address: home, value: 20 });
    runSteps(settleRecord(scene.dead), () => scene.port.engine);
    expect(scene.cleared).toEqual([PAGE]);
  });

  it('is listed by who reaps the owner, each by its state, and nothing by who reaps another port', () => {
    for (const owner of [DEAD, DEAD + 1]) {
      const scene = areas();
      const states = [HOME_RETIRED, HOME_FRESH, HOME_HELD, HOME_LEFT, HOME_RETURNED, HOME_FRESH];
      for (let page = 1; page <= 40; page++) {
        scene.set(scene.descriptor(page) + DESCRIPTOR_HOME_OFFSET, states[page] ?? HOME_RETURNED);
        scene.set(scene.descriptor(page) + DESCRIPTOR_COUNT_OFFSET, 1);
      }
      scene.set(scene.descriptor(40) + DESCRIPTOR_HOME_OFFSET, HOME_RETIRED);
      scene.set(CONTROL_BASE + HEADER_OWNER_OFFSET, (1 << CLAIM_SEQ_SHIFT) | (owner + 1));
      scene.reap();
      const { retiredBitsOffset, supplyBitsOffset } = scene.geometry;
      const words = [retiredBitsOffset, retiredBitsOffset + 4, supplyBitsOffset, supplyBitsOffset + 4];
      const bits = owner === DEAD ? [0, 1 << (40 - 32), (1 << 1) | (1 << 5), 0] : [0, 0, 0, 0];
      expect(words.map((word) => scene.get(word))).toEqual(bits);
    }
  });
});

describe('a page that is retired', () => {
  const BEFORE = ((9 << HOME_STAMP_SHIFT) | (NAME << HOME_PORT_SHIFT) | HOME_RESERVE | HOME_HELD) >>> 0;
  const RETIRED = ((9 << HOME_STAMP_SHIFT) | HOME_RESERVE | HOME_RETIRED) >>> 0;
  const hint = CONTROL_BASE + HEADER_RETIRED_OFFSET;

  function retiring(home: number, words: { index: number; pins?: number; options?: PoolOptions }): Scene {
    const scene = new Scene(words.options);
    scene.set(scene.descriptor() + DESCRIPTOR_HOME_OFFSET, home);
    scene.set(scene.descriptor() + DESCRIPTOR_PINS_OFFSET, words.pins ?? 0);
    scene.setRow(PAGE, 3);
    scene.record(RECORD_RETIRE, { page: PAGE, address: BEFORE, index: words.index, value: 20 });
    return scene;
  }
  const listed = (scene: Scene, want: Expected): void => {
    want.set(scene.geometry.retiredBitsOffset, 1 << PAGE);
    want.set(hint, 1 << RETIRED_INDEX_BITS);
  };

  it.each([
    ['as it was', BEFORE],
    ['with other flags, which others set', (BEFORE | 0x38) >>> 0],
  ] as const)('is held where its home word is %s', (_, home) =>
    retiring(home, { index: 1 }).expectSettled((want) => want.setRow(DEAD, PAGE, 1)),
  );

  it('is listed and counted where it happened', () => {
    const scene = retiring(RETIRED, { index: 1 });
    scene.expectSettled((want) => {
      listed(scene, want);
      want.setRow(DEAD, PAGE, 0);
      want.set(scene.block + PORT_RELEASE_OFFSET, 21);
    });
  });

  it('is counted, and not listed, where it was taken again since', () => {
    const scene = retiring((BEFORE + (1 << HOME_STAMP_SHIFT)) >>> 0, { index: 1 });
    scene.expectSettled((want) => {
      want.setRow(DEAD, PAGE, 0);
      want.set(scene.block + PORT_RELEASE_OFFSET, 21);
    });
  });

  it('is retired by the last unpin that died, keeping its stamp and its reserve', () => {
    const scene = retiring(BEFORE, { index: 0, pins: (PIN_LEFT | (NAME << PIN_LAST_SHIFT)) >>> 0 });
    scene.expectSettled((want) => {
      listed(scene, want);
      want.set(scene.descriptor() + DESCRIPTOR_HOME_OFFSET, RETIRED);
    });
  });

  it('is listed once more where the last unpin had retired it', () => {
    const scene = retiring(RETIRED, { index: 0, pins: (PIN_LEFT | (NAME << PIN_LAST_SHIFT)) >>> 0 });
    scene.expectSettled((want) => listed(scene, want));
  });

  it.each([
    ['another port’s last unpin', (PIN_LEFT | (3 << PIN_LAST_SHIFT)) >>> 0],
    ['pins that others have', (PIN_LEFT | 2) >>> 0],
    ['no mark of a leaving', NAME << PIN_LAST_SHIFT],
  ] as const)('is left to %s', (_, pins) => retiring(BEFORE, { index: 0, pins }).expectSettled(nothing));

  it('is cleared where the pool promises that, that page alone', () => {
    const scene = retiring(BEFORE, {
      index: 0,
      pins: (PIN_LEFT | (NAME << PIN_LAST_SHIFT)) >>> 0,
      options: { zero: 'on-release' },
    });
    const start = scene.geometry.pagesOffset + (PAGE - 1) * 1024;
    const bytes = scene.port.memory.reach(start + 2048).fill(7, start - 1024, start + 2048);
    runSteps(settleRecord(scene.dead), () => scene.port.engine);
    expect([...bytes.subarray(start - 1, start + 1025)]).toEqual([7, ...Array(1024).fill(0), 7]);
  });

  it('keeps its bytes where the pool promises nothing', () => {
    const scene = retiring(BEFORE, { index: 0, pins: (PIN_LEFT | (NAME << PIN_LAST_SHIFT)) >>> 0 });
    const start = scene.geometry.pagesOffset + (PAGE - 1) * 1024;
    const bytes = scene.port.memory.reach(start + 1024).fill(7, start, start + 1024);
    runSteps(settleRecord(scene.dead), () => scene.port.engine);
    expect(bytes[start]).toBe(7);
  });
});

describe('the last user of a pinned page', () => {
  const BEFORE = ((9 << HOME_STAMP_SHIFT) | (NAME << HOME_PORT_SHIFT) | HOME_HELD) >>> 0;
  const LEFT = ((9 << HOME_STAMP_SHIFT) | HOME_LEFT) >>> 0;
  const LATER = ((10 << HOME_STAMP_SHIFT) | (3 << HOME_PORT_SHIFT) | HOME_HELD) >>> 0;

  function leaving(home: number, pins: number): Scene {
    const scene = new Scene();
    scene.set(scene.descriptor() + DESCRIPTOR_HOME_OFFSET, home);
    scene.set(scene.descriptor() + DESCRIPTOR_PINS_OFFSET, pins);
    scene.setRow(PAGE, 3);
    scene.record(RECORD_PINNED, { page: PAGE, address: BEFORE, value: 20 });
    return scene;
  }

  it.each([
    ['as it was', BEFORE],
    ['that of a page that left', LEFT],
  ] as const)('still holds it where the pins do not say otherwise, and its home word is %s', (_, home) => {
    const scene = leaving(home, PIN_LEFT - 1);
    scene.expectSettled((want) => want.set(scene.descriptor() + DESCRIPTOR_HOME_OFFSET, BEFORE));
  });

  it.each([
    ['the page has left', LEFT, PIN_LEFT],
    ['the page has left, and its home word says nothing yet', BEFORE, (PIN_LEFT | 1) >>> 0],
    ['the page is another use of it', LATER, 0],
  ] as const)('is counted as gone where %s', (_, home, pins) => {
    const scene = leaving(home, pins);
    scene.expectSettled((want) => {
      want.setRow(DEAD, PAGE, 0);
      want.set(scene.block + PORT_RELEASE_OFFSET, 21);
    });
  });
});

describe('a reference between row and token', () => {
  const SEQUENCE = 77;
  const mark = (state: number, name = NAME, sequence = SEQUENCE) =>
    ((sequence << TOKEN_SEQ_SHIFT) | (name << TOKEN_PORT_SHIFT) | state) >>> 0;

  it.each([
    ['lending', 'is in the row', TOKEN_FREE, mark(TOKEN_FILLING), 4],
    ['lending', 'is lent', TOKEN_FREE, (SEQUENCE << TOKEN_SEQ_SHIFT) | TOKEN_LENT, 3],
    ['lending', 'is lent, and another one’s by now', TOKEN_FREE, mark(TOKEN_FILLING, 3), 3],
    ['lending', 'is lent, adopted, and lent by the same port once more', TOKEN_FREE, mark(TOKEN_FILLING, NAME, 78), 3],
    ['adopting', 'is in the token', TOKEN_LENT, mark(TOKEN_TAKING), 4],
    ['adopting', 'is in the row', TOKEN_LENT, ((SEQUENCE + 1) << TOKEN_SEQ_SHIFT) | TOKEN_FREE, 5],
  ] as const)('%s: it %s', (_, __, state, now, row) => {
    const scene = new Scene();
    const token = scene.geometry.tokensOffset + 64;
    scene.set(token, now);
    scene.setRow(PAGE, 9);
    const value = (SEQUENCE << TOKEN_SEQ_SHIFT) | state;
    scene.record(RECORD_TOKEN, { page: PAGE, row: 4, address: token, value });
    scene.expectSettled((want) => want.setRow(DEAD, PAGE, row));
  });
});

describe('a reference between row and reply slot', () => {
  const word = (state: number, sequence = 5) => (sequence << REPLY_SEQ_SHIFT) | (NAME << REPLY_SERVER_SHIFT) | state;

  it.each([
    ['answering', 'is in the row', REPLY_SERVING, word(REPLY_SERVING), 4],
    ['answering', 'is in the row, and the call cancelled', REPLY_SERVING, word(REPLY_CANCELLED), 4],
    ['answering', 'is in the slot', REPLY_SERVING, (5 << REPLY_SEQ_SHIFT) | REPLY_ANSWERED, 3],
    ['answering', 'was collected', REPLY_SERVING, (6 << REPLY_SEQ_SHIFT) | REPLY_FREE, 3],
    ['collecting', 'is in the slot', REPLY_ANSWERED, word(REPLY_ANSWERED), 4],
    ['collecting', 'is in the row', REPLY_ANSWERED, (6 << REPLY_SEQ_SHIFT) | REPLY_FREE, 5],
    ['collecting', 'is in the row, and the slot of a cancelled call', REPLY_ANSWERED, word(REPLY_CANCELLED), 5],
  ] as const)('%s: it %s', (_, __, state, now, row) => {
    const scene = new Scene({ calls: { ask: { capacity: 2 } } });
    const reply = scene.geometry.repliesOffset;
    scene.set(reply, now);
    scene.setRow(PAGE, 9);
    scene.record(RECORD_REPLY, { page: PAGE, row: 4, address: reply, value: word(state) });
    scene.expectSettled((want) => want.setRow(DEAD, PAGE, row));
  });
});

describe('a call whose entries are in the inbox of the dead port', () => {
  const OTHER = NAME + 1;
  const word = (state: number, server = 0, sequence = 0) =>
    (sequence << REPLY_SEQ_SHIFT) | (server << REPLY_SERVER_SHIFT) | state;

  it.each([
    ['that was not marked goes on to another server', word(REPLY_OUT), word(REPLY_OUT), 1],
    ['that was marked, and not taken, goes on, too', word(REPLY_SERVING, NAME), word(REPLY_OUT), 1],
    ['that was cancelled frees its slot', word(REPLY_CANCELLED), word(REPLY_FREE, 0, 1), 0],
    ['that was cancelled while it was marked does so, too', word(REPLY_CANCELLED, NAME), word(REPLY_FREE, 0, 1), 0],
    ['that is over leaves a free slot', word(REPLY_FREE, 0, 1), word(REPLY_FREE, 0, 1), 0],
    ['that is over leaves the call that has its slot now', word(REPLY_OUT, 0, 1), word(REPLY_OUT, 0, 1), 0],
    ['that is over leaves it to its server', word(REPLY_SERVING, OTHER, 1), word(REPLY_SERVING, OTHER, 1), 0],
    ['that is over leaves it cancelled', word(REPLY_CANCELLED, OTHER, 1), word(REPLY_CANCELLED, OTHER, 1), 0],
  ] as const)('%s', (_, now, later, accepted) => {
    const scene = new Scene({ calls: { ask: { capacity: 2 } } });
    const [asker, dead, other] = [0, DEAD, 2].map((id) => scene.ports[id]) as [Port, Port, Port];
    const channel = scene.geometry.channels.findIndex(({ isCalls }) => isCalls);
    const handle = asker.engine.alloc();
    asker.scratch.own.set([handle, 0, 8, 0]);
    expect(asker.engine.ask(channel, asker.scratch.ownAddress, 1)).toBe(0); // the first call of the first slot
    // With a full row the server receives the entries, and neither marks nor takes them.
    const page = pageOf(asker, handle);
    scene.setRow(page, LEDGER_MAX);
    expect(dead.engine.accept(channel, dead.scratch.ownAddress)).toBe(0);
    scene.setRow(page, 0);
    const reply = scene.geometry.repliesOffset;
    scene.set(reply, now);
    scene.reap();
    expect(scene.get(reply)).toBe(later);
    expect(other.engine.accept(channel, other.scratch.ownAddress)).toBe(accepted);
    expect(scene.row(page, 2)).toBe(accepted);
    if (accepted === 1) other.engine.release(handle);
    scene.set(reply, word(REPLY_FREE, 0, 2));
    expect(requireBalance(scene.port).pages.used).toBe(0);
  });
});

describe('a fragment page that is left', () => {
  interface Left {
    readonly open?: number;
    readonly row?: number;
    readonly before?: number;
    readonly count: number;
    readonly cut?: number;
    readonly now?: number;
  }
  function leaving({ open = PAGE, row = 0, before = 0, count, cut = 0x30002, now = 0x30002 }: Left): Scene {
    const scene = new Scene();
    scene.set(scene.block + PORT_FRAGMENT_PAGE_OFFSET, open);
    scene.set(scene.block + PORT_FRAGMENT_OFFSET, now);
    scene.set(scene.descriptor() + DESCRIPTOR_COUNT_OFFSET, count);
    scene.setRow(PAGE, row);
    scene.record(RECORD_LEAVE, { page: PAGE, row: before, value: cut });
    return scene;
  }
  const count = (scene: Scene) => scene.descriptor() + DESCRIPTOR_COUNT_OFFSET;
  const page = (scene: Scene) => scene.block + PORT_FRAGMENT_PAGE_OFFSET;

  it('is nothing to settle where another page is open', () =>
    leaving({ open: PAGE + 1, count: BIAS, row: 1 }).expectSettled(nothing));

  it('goes home where the row says so', () => {
    const scene = leaving({ row: 1, count: BIAS });
    scene.expectSettled((want) => {
      want.set(count(scene), 1);
      want.set(page(scene), 0);
    });
  });

  it('is still open where its row had a reference before', () =>
    leaving({ row: 1, before: 1, count: BIAS }).expectSettled(nothing));

  it('is still open where nothing was done', () => leaving({ row: 2, count: BIAS }).expectSettled(nothing));

  it('is used again where nothing of it is cut: its bias is set', () => {
    const scene = leaving({ count: BIAS - 2, now: 0 });
    scene.expectSettled((want) => want.set(count(scene), BIAS));
  });

  it('is not biased anew where nothing was cut before either', () =>
    leaving({ count: BIAS_THRESHOLD, cut: 0, now: 0 }).expectSettled(nothing));

  it('is left where its count has no bias', () => {
    const scene = leaving({ count: BIAS_THRESHOLD - 1 });
    scene.expectSettled((want) => want.set(page(scene), 0));
  });
});

describe('what stands half done beside the record', () => {
  it('a page on top of both magazines is one page, and what else is in the merge magazine is released', () => {
    const scene = new Scene({ pageCount: 1024 });
    const engine = scene.ports[DEAD]?.engine as Port['engine'];
    const handles = Array.from({ length: 6 }, () => engine.alloc());
    for (const handle of handles) engine.release(handle);
    const [loaded, merge] = [scene.magazine(PORT_LOADED_OFFSET), scene.magazine(PORT_MERGE_OFFSET)];
    const all = Array.from({ length: scene.get(loaded) }, (_, i) => scene.get(loaded + NODE_PAGES_OFFSET + 4 * i));
    expect(all.length).toBeGreaterThanOrEqual(6);
    // Four are in the loaded one, the others on their way; the fourth is in both.
    const rest = all.slice(3);
    scene.set(loaded, 4);
    for (const [i, page] of [...rest.slice(1), rest[0] as number].entries())
      scene.set(merge + NODE_PAGES_OFFSET + 4 * i, page);
    scene.set(merge, rest.length);
    const findings = scene.reap();
    expect(findings).toMatchObject({ cachedPages: 4, pages: rest.length - 1, references: rest.length - 1 });
    expect(requireBalance(scene.port).pages.used).toBe(0);
  });

  it('different pages on top of the magazines are two', () => {
    const scene = new Scene();
    const engine = scene.ports[DEAD]?.engine as Port['engine'];
    for (const handle of Array.from({ length: 3 }, () => engine.alloc())) engine.release(handle);
    const [loaded, merge] = [scene.magazine(PORT_LOADED_OFFSET), scene.magazine(PORT_MERGE_OFFSET)];
    const top = scene.get(loaded) - 1;
    scene.set(merge + NODE_PAGES_OFFSET, scene.get(loaded + NODE_PAGES_OFFSET + 4 * top));
    scene.set(merge, 1);
    scene.set(loaded, top);
    expect(scene.reap()).toMatchObject({ cachedPages: top, pages: 1, references: 1 });
    expect(requireBalance(scene.port).pages.used).toBe(0);
  });

  it('a page of the loaded magazine has no holder, whatever the row says', () => {
    const scene = new Scene();
    const engine = scene.ports[DEAD]?.engine as Port['engine'];
    engine.release(engine.alloc());
    const loaded = scene.magazine(PORT_LOADED_OFFSET);
    scene.setRow(scene.get(loaded + NODE_PAGES_OFFSET), 1);
    expect(scene.reap()).toMatchObject({ pages: 0, references: 0, cachedPages: scene.geometry.magazineCapacity });
    expect(requireBalance(scene.port).pages.used).toBe(0);
  });

  it.each([
    ['out of the magazine and not biased yet is held', BIAS_THRESHOLD - 1, false],
    ['with its bias is open', BIAS_THRESHOLD, true],
  ] as const)('a fragment page %s', (_, count, isOpen) => {
    const scene = new Scene();
    const page = PAGE;
    scene.set(scene.block + PORT_FRAGMENT_PAGE_OFFSET, page);
    scene.set(scene.descriptor(page) + DESCRIPTOR_COUNT_OFFSET, count);
    const calls = stepsUntilFirstCall(scene);
    expect(calls).toEqual(['park']);
    expect([scene.get(scene.block + PORT_FRAGMENT_PAGE_OFFSET), scene.row(page)]).toEqual(isOpen ? [page, 0] : [0, 1]);
  });

  it.each([PORT_LOADED_OFFSET, PORT_MERGE_OFFSET])('a fragment page still in a magazine (%d) is not open', (holder) => {
    const scene = new Scene();
    const magazine = scene.magazine(holder);
    scene.set(magazine, 1);
    scene.set(magazine + NODE_PAGES_OFFSET, PAGE);
    scene.set(scene.block + PORT_FRAGMENT_PAGE_OFFSET, PAGE);
    scene.set(scene.descriptor() + DESCRIPTOR_COUNT_OFFSET, 1);
    stepsUntilFirstCall(scene);
    expect(scene.get(scene.block + PORT_FRAGMENT_PAGE_OFFSET)).toBe(0);
    expect(scene.row(PAGE)).toBe(holder === PORT_LOADED_OFFSET ? 0 : 1);
  });

  /** Runs the reaping up to its first call of the engine, which it names. */
  function stepsUntilFirstCall(scene: Scene): string[] {
    const steps = reapClaimed(scene.dead, 0, scene.geometry.scratchOffset, emptyFindings(DEAD));
    for (;;) {
      const { done, value } = steps.next(0);
      if (done === true) return [];
      if (value !== undefined) return [value.call[0]];
    }
  }

  it('a page whose count was about to move is suspect, and the count of suspects with it', () => {
    const scene = new Scene();
    scene.set(scene.block + PORT_COUNTING_OFFSET, PAGE);
    expect(scene.reap().suspects).toEqual([PAGE]);
    expect(scene.get(scene.descriptor() + DESCRIPTOR_SUSPECT_OFFSET)).toBe(1);
    expect(scene.get(scene.block + PORT_COUNTING_OFFSET)).toBe(0);
    const counters = new BigUint64Array(scene.port.memory.bytes.buffer, scene.block + PORT_COUNTERS_OFFSET, 16);
    expect([counters[COUNTER_SUSPECT / 8], counters[COUNTER_REPAIRED / 8]]).toEqual([1n, 0n]);
  });

  it.each([
    [NODE_COUNT_OFFSET, 5, 0],
    [NODE_COUNT_OFFSET, 4, 4],
    [NODE_TAKEN_OFFSET, 5, 0],
    [NODE_TAKEN_OFFSET, 4, 4],
  ] as const)('a channel node whose word %d says %d of 4 entries is taken for %d', (offset, value, expected) => {
    for (const holder of [LANE_INBOX_OFFSET, LANE_OUTBOX_OFFSET]) {
      const scene = new Scene();
      const node = scene.node(1, holder);
      scene.set(node + NODE_COUNT_OFFSET, 4);
      scene.set(node + NODE_TAKEN_OFFSET, 4);
      scene.set(node + NODE_MORE_OFFSET, 1);
      scene.set(node + offset, value);
      reapClaimed(scene.dead, 0, 0, emptyFindings(DEAD)).next(0);
      const words = [NODE_COUNT_OFFSET, NODE_TAKEN_OFFSET, NODE_MORE_OFFSET].map((word) => scene.get(node + word));
      expect(words).toEqual(expected === 4 ? [4, 4, 1] : [0, 0, 0]);
    }
  });

  it('a magazine that says more than it has room for is taken for empty, a full one for what it says', () => {
    for (const holder of [PORT_LOADED_OFFSET, PORT_MERGE_OFFSET]) {
      for (const more of [0, 1]) {
        const scene = new Scene();
        const { magazineCapacity } = scene.geometry;
        const magazine = scene.magazine(holder);
        for (let i = 0; i < magazineCapacity; i++) scene.set(magazine + NODE_PAGES_OFFSET + 4 * i, i + 1);
        scene.set(magazine + NODE_COUNT_OFFSET, magazineCapacity + more);
        stepsUntilFirstCall(scene);
        const isLoaded = holder === PORT_LOADED_OFFSET;
        expect(scene.get(magazine + NODE_COUNT_OFFSET)).toBe(more === 0 && isLoaded ? magazineCapacity : 0);
        expect(scene.row(1)).toBe(more === 0 && !isLoaded ? 1 : 0);
      }
    }
  });
});

describe('a full row', () => {
  /** Two fragments of one page: the first fills the row, the second one's references travel. */
  function two(scene: Scene): { first: number; second: number; page: number } {
    const engine = engineOf(scene);
    const [first, second] = [engine.allocFragment(64), engine.allocFragment(64)];
    const page = (first & (2 ** scene.geometry.unitBits - 1)) >>> scene.geometry.unitsPerPageShift;
    return { first, second, page };
  }
  const engineOf = (scene: Scene) => (scene.ports[DEAD] as Port).engine;
  const fill = (scene: Scene, handle: number, page: number): void => {
    expect(engineOf(scene).retain(handle, LEDGER_MAX - scene.row(page))).toBe(0);
    expect(scene.row(page)).toBe(LEDGER_MAX);
  };

  it('takes a token that the port was adopting', () => {
    const scene = new Scene();
    const { first, second, page } = two(scene);
    expect(engineOf(scene).lend(second, 0, 1, 0)).toBe(0); // the first loan of the first token
    const token = tokenOf(scene);
    // As it is between the two words of an adoption.
    const sequence = scene.get(token) >>> TOKEN_SEQ_SHIFT;
    scene.set(token, ((sequence << TOKEN_SEQ_SHIFT) | (NAME << TOKEN_PORT_SHIFT) | TOKEN_TAKING) >>> 0);
    fill(scene, first, page);
    expect(scene.reap()).toMatchObject({ tokens: 1, references: LEDGER_MAX, pages: 1 });
    expect(scene.get(token)).toBe((sequence + 1) << TOKEN_SEQ_SHIFT);
    expectHome(scene);
  });

  it('takes the entries of an outbox that nobody pushed', () => {
    const scene = new Scene();
    const { first, second, page } = two(scene);
    expect(engineOf(scene).retain(second, 1)).toBe(0);
    fillOutbox(scene, second, page, 2);
    fill(scene, first, page);
    scene.set(laneOffset(scene.channel(0), DEAD) + LANE_CREDIT_OFFSET, 3);
    expect(scene.reap()).toMatchObject({ unsentEntries: 2, references: LEDGER_MAX, pages: 1 });
    expect(scene.get(laneOffset(scene.channel(0), DEAD) + LANE_CREDIT_OFFSET)).toBe(0);
    expectHome(scene);
  });

  it('leaves an entry to the channel that the port received in a batch', () => {
    const scene = new Scene();
    const { first, second, page } = two(scene);
    const [sender] = scene.ports as [Port];
    expect(engineOf(scene).retain(second, 1)).toBe(0);
    const { own, ownAddress } = (scene.ports[DEAD] as Port).scratch;
    own.set([second, 0, 1, 1, second, 0, 1, 2]);
    expect(engineOf(scene).sendBurst(0, ownAddress, 2, 0)).toBe(2);
    expect(engineOf(scene).receiveBurst(0, ownAddress, 1)).toBe(1);
    fill(scene, first, page);
    expect(scene.reap()).toMatchObject({ returnedEntries: 1, droppedEntries: 0, references: LEDGER_MAX });
    expect(sender.engine.receiveBurst(0, sender.scratch.ownAddress, 4)).toBe(1);
    expect(sender.scratch.own[3]).toBe(2);
    expect(sender.engine.release(second)).toBe(0);
    expectHome(scene);
  });

  const tokenOf = (scene: Scene): number => {
    const { tokenCount, tokensOffset } = scene.geometry;
    const tokens = Array.from({ length: tokenCount }, (_, i) => tokensOffset + 32 * i);
    return tokens.find((token) => scene.get(token + TOKEN_HANDLE_OFFSET) !== 0) as number;
  };
  const fillOutbox = (scene: Scene, handle: number, page: number, count: number): void => {
    const node = scene.node(0, LANE_OUTBOX_OFFSET);
    for (let i = 0; i < count; i++) scene.set(node + NODE_ENTRIES_OFFSET + 16 * i, handle);
    scene.set(node + NODE_COUNT_OFFSET, count);
    scene.setRow(page, scene.row(page) - count);
  };
  const expectHome = (scene: Scene): void => {
    const { pages, references } = requireBalance(scene.port);
    expect([pages.used, references.ledgers, references.tokens, references.channels]).toEqual([0, 0, 0, 0]);
  };
});

describe('whoever is beside a port that is reaped', () => {
  const events = (scene: Scene) => [CONTROL_BASE + HEADER_FREED_OFFSET, ...channelEvents(scene.geometry)];
  const KINDS_OF_BITS = [EVENT_ONE_OFFSET, EVENT_SEVERAL_OFFSET, EVENT_KNOWN_OFFSET];

  it('keeps its waiting bits at every event: the dead port’s go', () => {
    const scene = new Scene({ maxPorts: 40 });
    for (const event of events(scene))
      for (const kind of KINDS_OF_BITS) for (const half of [0, 4]) scene.set(event + kind + half, 0xffffffff);
    scene.reap();
    for (const event of events(scene)) {
      for (const kind of KINDS_OF_BITS) {
        const words = [0, 4].map((half) => scene.get(event + kind + half));
        expect(words).toEqual([~(1 << DEAD) >>> 0, 0xffffffff]);
      }
    }
  });

  it('keeps them also where the dead port is one of the upper half', () => {
    const scene = new Scene({ maxPorts: 40 });
    const dead = new DeadPort(scene.port.memory, scene.geometry, 35);
    for (const event of events(scene))
      for (const kind of KINDS_OF_BITS) for (const half of [0, 4]) scene.set(event + kind + half, 0xffffffff);
    const engine = scene.ports[35]?.engine as Port['engine'];
    runSteps(reapClaimed(dead, 0, scene.geometry.scratchOffset, emptyFindings(35)), () => engine);
    for (const event of events(scene)) {
      for (const kind of KINDS_OF_BITS) {
        const words = [0, 4].map((half) => scene.get(event + kind + half));
        expect(words).toEqual([0xffffffff, ~(1 << 3) >>> 0]);
      }
    }
  });

  it('keeps its block, its row, its lanes and its magazines: its bell alone is raised', () => {
    const scene = new Scene();
    const [, , bystander] = scene.ports as [Port, Port, Port];
    const handle = bystander.engine.alloc();
    bystander.engine.retain(handle, 2);
    const engine = scene.ports[DEAD]?.engine as Port['engine'];
    for (let i = 0; i < 3; i++) engine.alloc();
    const other = portOffset(scene.geometry, 2);
    for (const offset of [PORT_WANT_OFFSET, PORT_AREAS_OFFSET, PORT_WATCHED_OFFSET, PORT_WATCHED_OFFSET + 52]) {
      scene.set(other + offset, 0x1234 + offset);
      scene.set(scene.block + offset, 0x4321 + offset);
    }
    const words = () => [
      ...scene.port.memory.u32.slice(other >>> 2, (other + PORT_BYTES) >>> 2),
      ...scene.geometry.channels.flatMap((channel) => {
        const lane = laneOffset(channel, 2);
        return [...scene.port.memory.u32.slice(lane >>> 2, (lane + 64) >>> 2)];
      }),
      ...Array.from({ length: 41 }, (_, page) => scene.row(page, 2)),
    ];
    const before = words();
    const bells = () => scene.ports.map(({ id }) => scene.get(portOffset(scene.geometry, id) + PORT_BELL_OFFSET));
    const rung = bells();
    scene.reap();
    before[PORT_BELL_OFFSET / 4] = (before[PORT_BELL_OFFSET / 4] as number) + 1;
    expect(words()).toEqual(before);
    expect(bells()).toEqual(rung.map((bell) => bell + 1));
    for (const offset of [PORT_WANT_OFFSET, PORT_AREAS_OFFSET, PORT_WATCHED_OFFSET, PORT_WATCHED_OFFSET + 52])
      expect(scene.get(scene.block + offset)).toBe(0);
    expect(bystander.engine.refCount(handle)).toBe(3);
  });

  it('keeps the tokens that it is filling or taking', () => {
    const scene = new Scene();
    const tokens = [0, 1, 2, 3].map((i) => scene.geometry.tokensOffset + 32 * i);
    const mark = (name: number, state: number) => ((7 << TOKEN_SEQ_SHIFT) | (name << TOKEN_PORT_SHIFT) | state) >>> 0;
    const words = [mark(NAME, TOKEN_FILLING), mark(NAME + 1, TOKEN_FILLING), mark(NAME - 1, TOKEN_TAKING), mark(0, 0)];
    for (const [i, token] of tokens.entries()) scene.set(token, words[i] as number);
    expect(scene.reap().tokens).toBe(0);
    expect(tokens.map((token) => scene.get(token))).toEqual([7 << TOKEN_SEQ_SHIFT, ...words.slice(1)]);
  });

  it('stays with its own reaper: only what the dead port was reaping is inherited', () => {
    const scene = new Scene({ maxPorts: 6 });
    const claim = (id: number) => portOffset(scene.geometry, id) + PORT_CLAIM_OFFSET;
    const reaping = (reaper: number) => (1 << CLAIM_SEQ_SHIFT) | ((reaper + 1) << CLAIM_REAPER_SHIFT) | CLAIM_REAPING;
    scene.set(claim(2), reaping(DEAD));
    scene.set(claim(3), reaping(4));
    scene.set(claim(5), reaping(DEAD));
    const live = scene.get(claim(4));
    expect(live).toBe((1 << CLAIM_SEQ_SHIFT) | CLAIM_ACTIVE);
    expect(scene.reap().inherited).toEqual([2, 5]);
    expect([2, 3, 4, 5].map((id) => scene.get(claim(id)))).toEqual([reaping(0), reaping(4), live, reaping(0)]);
    expect(scene.get(claim(DEAD))).toBe(1 << CLAIM_SEQ_SHIFT);
  });

  it('loses the race for a claim that has moved', () => {
    const scene = new Scene();
    const claim = scene.get(scene.block + PORT_CLAIM_OFFSET);
    const engine = () => scene.port.engine;
    expect(runSteps(claimDead(scene.dead, claim + (1 << CLAIM_SEQ_SHIFT), 0), engine)).toBe(false);
    expect(scene.get(scene.block + PORT_CLAIM_OFFSET)).toBe(claim);
  });
});
