// Room on the stack, call by call: each call that enters others while it changes words asks for room first, and once;
// where there is none nothing has changed. And units behind the last page, which are nobody's.

import { describe, expect, it } from 'vitest';
import {
  DESCRIPTOR_COUNT_OFFSET,
  DESCRIPTOR_PINS_OFFSET,
  ERR_FOREIGN_HANDLE,
  ERR_PIN,
  ERR_REF_OVERFLOW,
  ERR_STALE_HANDLE,
  LEDGER_MAX,
  OK,
} from '../../assembly/layout.js';
import { loanParts } from '../../src/control/nodes.js';
import { descriptorAt, pageOfHandle, rowIndex } from '../../src/control/places.js';
import type { Engine } from '../../src/engine/engine.js';
import { createTypeScriptEngine } from '../../src/engine/typescript.js';
import { type CoreExports, openWasmEngine } from '../../src/engine/wasm.js';
import type { Port } from '../../src/port/port.js';
import { KINDS, moduleOf, openPorts } from '../support/ports.js';

const CHANNELS = {
  frames: { capacity: 2, batch: 2 },
  newest: { capacity: 1, batch: 1, whenFull: 'drop-newest' },
} as const;
const FRAMES = 0;
const NEWEST = 1;
const CALLS = 2;
const KINDS_OF_ENGINES = ['release', 'typescript'] as const;

/** A pool with two ports in one thread; whoever asks for room on the stack is counted, or refused. */
class World {
  asked = 0;
  isFull = false;
  /** What others do between a call's look and its change. */
  meanwhile = (): void => {};
  readonly #ports: readonly Port[];
  readonly #engines: readonly Engine[];

  constructor(kind: (typeof KINDS_OF_ENGINES)[number]) {
    const names = { channels: CHANNELS, calls: { ask: { capacity: 2 } } };
    this.#ports = openPorts({ pageBytes: 1024, unitBytes: 64, pageCount: 8, ...names }, [kind], 2);
    const touchStack = (): void => {
      if (this.isFull) throw new RangeError('Maximum call stack size exceeded');
      this.asked += 1;
      this.meanwhile();
    };
    this.#engines = this.#ports.map(({ id, memory }) => {
      if (kind === 'typescript') return createTypeScriptEngine({ memory, portId: id, grow: () => true, touchStack });
      const env = { memory: memory.wasm as WebAssembly.Memory, touchStack };
      return openWasmEngine(new WebAssembly.Instance(moduleOf(kind), { env }).exports as unknown as CoreExports, id);
    });
  }

  get one(): Engine {
    return this.#engines[0] as Engine;
  }

  get two(): Engine {
    return this.#engines[1] as Engine;
  }

  /** Where port 0, or port 1, may have results written. */
  at(port = 0): number {
    return (this.#ports[port] as Port).scratch.ownAddress;
  }

  /** Writes words at port 0's scratch. */
  write(...words: readonly number[]): number {
    this.memory.set(words, this.at() >>> 2);
    return this.at();
  }

  /** As if a port held as many references of every page as can be counted; what undoes it. */
  fillRows(port: number): () => void {
    const { geometry, id, memory } = this.#ports[port] as Port;
    const first = rowIndex(geometry, id, 0);
    const rows = memory.u16.subarray(first, first + geometry.pageCount + 1);
    const before = rows.slice();
    rows.fill(LEDGER_MAX);
    return () => rows.set(before);
  }

  get memory(): Uint32Array {
    return (this.#ports[0] as Port).memory.u32;
  }

  /** A page of port 0 that port 1 has, too. */
  shared(): number {
    const handle = this.one.alloc();
    expect(this.one.retain(handle, 1)).toBe(OK);
    expect(this.one.send(FRAMES, handle, 0, 0, 0)).toBe(OK);
    expect(this.two.receiveBurst(FRAMES, this.at(1), 1)).toBe(1);
    return handle;
  }

  /** A call of port 0, with a page. */
  asks(): number {
    const call = this.one.ask(CALLS, this.write(this.one.alloc(), 0, 0, 0), 1);
    expect(call).toBeGreaterThanOrEqual(0);
    return call;
  }

  /** A call of port 0 that port 1 serves, and has released the page of. */
  served(): number {
    const call = this.asks();
    expect(this.two.accept(CALLS, this.at(1))).toBe(1);
    expect(this.two.release(this.memory[this.at(1) >>> 2] as number)).toBe(OK);
    return call;
  }
}

type Call = () => number;

/** What comes before, and the call. An `ask` is a burst behind a slot: the layer above it has asked for both. */
const CALLING: Readonly<Record<string, (world: World) => Call>> = {
  'alloc that refills': (w) => () => w.one.alloc(),
  'allocFragment of a new page': (w) => () => w.one.allocFragment(64),
  'allocBurst behind the magazine': (w) => () => w.one.allocBurst(w.at(), 4),
  'release of a pinned page': (w) => {
    const handle = w.one.alloc();
    expect(w.one.pin(handle)).toBeGreaterThan(0);
    return () => w.one.release(handle);
  },
  'release of a page that others have, too': (w) => {
    const handle = w.shared();
    return () => w.one.release(handle);
  },
  'releaseBulk of a pinned page': (w) => {
    const handle = w.one.alloc();
    expect(w.one.pin(handle)).toBeGreaterThan(0);
    const at = w.write(handle);
    return () => w.one.releaseBulk(at, 1);
  },
  'unpin of a page that has left': (w) => {
    const handle = w.one.alloc();
    const page = w.one.pin(handle);
    expect(w.one.release(handle)).toBe(OK);
    return () => w.one.unpin(page);
  },
  send: (w) => {
    const handle = w.one.alloc();
    return () => w.one.send(FRAMES, handle, 0, 8, 0);
  },
  'send that drops itself': (w) => {
    expect(w.one.send(NEWEST, w.one.alloc(), 0, 8, 0)).toBe(OK);
    const handle = w.one.alloc();
    return () => w.one.send(NEWEST, handle, 0, 8, 0);
  },
  sendBurst: (w) => {
    const at = w.write(w.one.alloc(), 0, 0, 0);
    return () => w.one.sendBurst(FRAMES, at, 1, 0);
  },
  'sendBurst that drops its entries': (w) => {
    expect(w.one.send(NEWEST, w.one.alloc(), 0, 8, 0)).toBe(OK);
    const at = w.write(w.one.alloc(), 0, 0, 0);
    return () => w.one.sendBurst(NEWEST, at, 1, 0);
  },
  'receiveBurst of another node': (w) => {
    expect(w.one.send(FRAMES, w.one.alloc(), 0, 8, 0)).toBe(OK);
    return () => w.one.receiveBurst(FRAMES, w.at(), 1);
  },
  lend: (w) => {
    const handle = w.one.alloc();
    return () => w.one.lend(handle, 0, 8, 0);
  },
  adopt: (w) => {
    const { index, sequence } = loanParts(w.one.lend(w.one.alloc(), 0, 8, 0));
    return () => w.two.adopt(index, sequence, w.at(1));
  },
  accept: (w) => {
    w.asks();
    return () => w.two.accept(CALLS, w.at(1));
  },
  'reply with a page': (w) => {
    const call = w.served();
    const handle = w.two.alloc();
    return () => w.two.reply(call, handle, 0, 8, 1);
  },
  'reply without one': (w) => {
    const call = w.served();
    return () => w.two.reply(call, 0, 0, 0, 0);
  },
  collect: (w) => {
    const call = w.served();
    expect(w.two.reply(call, w.two.alloc(), 0, 8, 1)).toBe(OK);
    return () => w.one.collect(call, w.at());
  },
  'cancel of a call that nobody serves': (w) => {
    const call = w.asks();
    return () => w.one.cancel(call);
  },
  'cancel of a call that is served': (w) => {
    const call = w.served();
    return () => w.one.cancel(call);
  },
};

describe.each(KINDS_OF_ENGINES)('with the %s engine', (kind) => {
  it.each(Object.entries(CALLING))('%s asks for room before it changes anything, and once', (name, prepare) => {
    const world = new World(kind);
    const call = prepare(world);
    world.isFull = true;
    const before = world.memory.slice();
    expect(call).toThrow(RangeError);
    expect(changed(before, world)).toEqual([]);
    world.isFull = false;
    world.asked = 0;
    expect(call()).toBeGreaterThanOrEqual(0);
    // The burst that brings a call's entries asks by itself in one of the engines.
    if (name !== 'accept') expect(world.asked).toBe(1);
  });

  it('an answer, a call, a token and an entry wait where the row of their page is full', () => {
    const world = new World(kind);
    const { one, two } = world;
    const answered = world.served();
    expect(two.reply(answered, two.alloc(), 0, 8, 1)).toBe(OK);
    const asked = world.asks();
    const token = loanParts(one.lend(one.alloc(), 0, 8, 0));
    expect(one.send(FRAMES, one.alloc(), 0, 8, 0)).toBe(OK);
    const rows = [0, 1].map((port) => world.fillRows(port));
    const before = world.memory.slice();
    expect(one.collect(answered, world.at())).toBe(ERR_REF_OVERFLOW);
    expect(two.adopt(token.index, token.sequence, world.at(1))).toBe(ERR_REF_OVERFLOW);
    expect(changed(before, world)).toEqual([]);
    expect([two.accept(CALLS, world.at(1)), two.lastError()]).toEqual([0, ERR_REF_OVERFLOW]);
    expect([two.receiveBurst(FRAMES, world.at(1), 1), two.lastError()]).toEqual([0, ERR_REF_OVERFLOW]);
    for (const empty of rows) empty();
    expect(one.collect(answered, world.at())).toBe(OK);
    expect(two.adopt(token.index, token.sequence, world.at(1))).toBe(OK);
    expect(two.accept(CALLS, world.at(1))).toBe(1);
    expect(one.cancel(asked)).toBe(OK);
    expect(two.receiveBurst(FRAMES, world.at(1), 1)).toBe(1);
  });

  it('a retain of what others have asks where it enters others', () => {
    const world = new World(kind);
    const handle = world.shared();
    world.asked = 0;
    expect(world.one.retain(handle, 1)).toBe(OK);
    expect(world.asked).toBe(kind === 'typescript' ? 1 : 0);
  });
});

it('a retain of what others alone have, and give back meanwhile, is stale', () => {
  // The Wasm engine enters nothing here; the page is held, and the fragment is not.
  const world = new World('typescript');
  const handle = world.one.allocFragment(64);
  const other = world.one.allocFragment(64);
  expect(world.one.send(FRAMES, handle, 0, 0, 0)).toBe(OK);
  expect(world.two.receiveBurst(FRAMES, world.at(1), 1)).toBe(1);
  world.meanwhile = () => {
    world.meanwhile = () => {};
    expect(world.two.release(handle)).toBe(OK);
  };
  expect(world.one.retain(handle, 1)).toBe(ERR_STALE_HANDLE);
  expect(world.two.refCount(handle)).toBe(ERR_STALE_HANDLE);
  expect(world.one.release(other)).toBe(OK);
});

/** Where the pool's words are not as they were. */
function changed(before: Uint32Array, { memory }: World): number[] {
  const found: number[] = [];
  for (let i = 0; i < before.length; i++) if (memory[i] !== before[i]) found.push(4 * i);
  return found;
}

describe.each(KINDS)('with the %s engine', (kind) => {
  const open = () => openPorts({ pageBytes: 1024, unitBytes: 64, pageCount: 8, channels: CHANNELS }, [kind], 1)[0]!;

  it('the first unit behind the last page is of no page, whatever the words behind the last ones say', () => {
    const { engine, geometry, id, memory, scratch } = open();
    const behind = geometry.pageCount + 1;
    const own = engine.alloc();
    const page = pageOfHandle({ geometry }, own);
    const wordIndex = (unit: number): number => (geometry.fragmentWordsOffset >>> 2) + unit;
    const firstUnit = (of: number): number => of << geometry.unitsPerPageShift;
    // As if that page were held as the own one is.
    memory.u32[wordIndex(firstUnit(behind))] = memory.u32[wordIndex(firstUnit(page))]!;
    memory.u16[rowIndex(geometry, id, behind)] = memory.u16[rowIndex(geometry, id, page)]!;
    memory.u32[(descriptorAt(geometry, behind) + DESCRIPTOR_COUNT_OFFSET) >>> 2] = 1;
    const handle = own - firstUnit(page) + firstUnit(behind);
    const codes = {
      release: engine.release(handle),
      retain: engine.retain(handle, 1),
      send: engine.send(0, handle, 0, 0, 0),
      lend: engine.lend(handle, 0, 0, 0),
      pin: engine.pin(handle),
      refCount: engine.refCount(handle),
      extent: engine.extent(handle),
    };
    for (const [name, code] of Object.entries(codes)) expect([name, code]).toEqual([name, ERR_FOREIGN_HANDLE]);
    memory.u32.set([handle, 0, 0, 0], scratch.ownAddress >>> 2);
    expect(engine.releaseBulk(scratch.ownAddress, 1)).toBe(0);
    expect([engine.sendBurst(0, scratch.ownAddress, 1, 0), engine.lastError()]).toEqual([0, ERR_FOREIGN_HANDLE]);
  });

  it('a pin of the page behind the last one, and of page 0, is none', () => {
    const { engine, geometry, memory } = open();
    // Whatever stands behind the last page's words.
    const behind = (descriptorAt(geometry, geometry.pageCount + 1) + DESCRIPTOR_PINS_OFFSET) >>> 2;
    memory.u32[behind] = 1;
    for (const page of [0, geometry.pageCount + 1, 2 ** 32 - 1]) expect(engine.unpin(page)).toBe(ERR_PIN);
  });
});
