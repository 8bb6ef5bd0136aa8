// A plain model of a pool, and the real one beside it: each step does the same to both and compares.
//
// The model is a map of live handles with their holders, and what travels: channel entries, tokens, pins. It knows
// nothing of caches, magazines and rings; where the pool's choice is its own (which page, which entries a policy drops)
// the model follows it and checks that the choice was allowed. `check` compares the whole pool with the model after
// every step.

import {
  EMPTY,
  ENTRY_SHIFT,
  ERR_NOT_HELD,
  ERR_PIN,
  ERR_TOKEN_SPENT,
  FULL,
  LANE_DROPPED_OFFSET,
  LANE_INBOX_OFFSET,
  LANE_OUTBOX_OFFSET,
  NODE_COUNT_OFFSET,
  NODE_ENTRIES_OFFSET,
  NODE_TAKEN_OFFSET,
  OK,
  PORT_FRAGMENT_PAGE_OFFSET,
} from '../../assembly/layout.js';
import { freePort } from '../../src/control/claims.js';
import type { ChannelGeometry } from '../../src/control/geometry.js';
import {
  cachedPages,
  filledNodes,
  laneOffset,
  laneSum,
  loadWord,
  loanParts,
  nodeOffset,
} from '../../src/control/nodes.js';
import { portOffset } from '../../src/control/places.js';
import { reclaimTokens } from '../../src/pool/fragment.js';
import type { PoolOptions } from '../../src/pool/options.js';
import { allocBulkAt } from '../../src/port/bursts.js';
import { emptyPort } from '../../src/port/detaching.js';
import type { Port } from '../../src/port/port.js';
import {
  bytesAt,
  type EngineKind,
  openPort,
  openPorts,
  pageOf,
  requireBalance,
  statsOf,
  track,
  unitOf,
} from './ports.js';

/** A live fragment. */
interface Live {
  readonly handle: number;
  readonly page: number;
  readonly unit: number;
  readonly bytes: number;
  /** References of each port. */
  readonly held: number[];
  /** References in channels and tokens. */
  travelling: number;
}

/** An entry in a channel, by its tag. */
interface Entry {
  readonly live: Live;
  readonly sender: number;
  /** Entries of one sender are received in this order, unless one went back to the end. */
  readonly order: number;
  isOrdered: boolean;
}

interface ChannelState {
  readonly entries: Map<number, Entry>;
  dropped: number;
}

interface Token {
  readonly live: Live;
  readonly index: number;
  readonly sequence: number;
}

/** The channels of every world. */
export const CHANNELS = {
  keep: { capacity: 5, batch: 3 },
  newest: { capacity: 2, batch: 2, whenFull: 'drop-newest' },
  oldest: { capacity: 3, batch: 2, whenFull: 'drop-oldest' },
} as const;

function must(fact: boolean, what: () => string): asserts fact {
  if (!fact) throw new Error(what());
}

/** The model and the pool. */
export class World {
  readonly ports: Port[];
  readonly #kinds: readonly EngineKind[];
  readonly #zero: boolean;
  readonly #live = new Map<number, Live>();
  readonly #stale: number[] = [];
  readonly #channels: ChannelState[];
  readonly #tokens: Token[] = [];
  readonly #spent: Token[] = [];
  /** Page -> pins. */
  readonly #pins = new Map<number, number>();
  /** What the bytes of pinned pages were: they may not change. */
  readonly #pinned = new Map<number, { readonly unit: number; readonly value: number }>();
  /** Pages of which a port left without giving each handle back: their words tell less until they come home. */
  readonly #tainted = new Set<number>();
  readonly #isTracked: boolean;
  #tag = 0;
  #wholes = 0;
  #openings = 0;
  #fragments = 0;

  /** @param isTracked whether each port follows what it holds, and is compared with the model too */
  constructor(options: PoolOptions, kinds: readonly EngineKind[], portCount: number, isTracked = false) {
    this.#isTracked = isTracked;
    this.#kinds = kinds;
    this.#zero = options.zero === 'on-release';
    this.ports = openPorts({ ...options, channels: CHANNELS }, kinds, portCount);
    if (isTracked) for (const port of this.ports) track(port, 'all');
    this.#channels = this.ports[0]!.geometry.channels.map(() => ({ entries: new Map(), dropped: 0 }));
  }

  // ---------------------------------------------------------------------------------- what steps are made of

  #port(index: number): Port {
    return this.ports[index % this.ports.length] as Port;
  }

  /** The live handles of which the port holds references. */
  #heldBy(port: Port): Live[] {
    return [...this.#live.values()].filter((live) => (live.held[port.id] as number) > 0);
  }

  #pick(port: Port, choice: number): Live | undefined {
    const held = this.#heldBy(port);
    return held[choice % held.length];
  }

  #row(port: Port, page: number): number {
    let sum = 0;
    for (const live of this.#live.values()) if (live.page === page) sum += live.held[port.id] as number;
    return sum;
  }

  #came(port: Port, handle: number, bytes: number): void {
    const { geometry } = port;
    const unit = unitOf(port, handle);
    const page = pageOf(port, handle);
    must(handle > 0 && handle < 2 ** 30 && Number.isInteger(handle), () => `handle ${handle}`);
    must(!this.#live.has(handle), () => `handle ${handle} is handed out twice`);
    must(page >= 1 && page <= geometry.pageCount, () => `page ${page}`);
    const isFirst = (unit & (2 ** geometry.unitsPerPageShift - 1)) === 0;
    // Only a page that is opened for a fragment, or handed out whole, starts at its first unit.
    const isWhole = isFirst && bytes > geometry.pageBytes / 2;
    if (isFirst) {
      must(![...this.#live.values()].some((live) => live.page === page), () => `page ${page} is handed out twice`);
      must(!this.#pins.has(page), () => `page ${page} is handed out while it is pinned`);
      this.#tainted.delete(page);
    }
    if (isWhole) this.#wholes++;
    else if (isFirst) this.#openings++;
    if (!isWhole) this.#fragments++;
    const extent = port.engine.extent(handle);
    const expected = isWhole ? geometry.pageBytes : Math.ceil(bytes / geometry.unitBytes) * geometry.unitBytes;
    must(extent === expected, () => `extent ${extent} (expected ${expected})`);
    const content = bytesAt(port, unit, extent);
    if (this.#zero) must(!content.some((byte) => byte !== 0), () => `page ${page} is not cleared`);
    content.fill(handle & 0xff);
    const live: Live = { handle, page, unit, bytes: extent, held: this.ports.map(() => 0), travelling: 0 };
    live.held[port.id] = 1;
    this.#live.set(handle, live);
  }

  #settle(live: Live): void {
    if (live.travelling > 0 || live.held.some((count) => count > 0)) return;
    this.#live.delete(live.handle);
    if (!this.#tainted.has(live.page)) this.#stale.push(live.handle);
    if (this.#stale.length > 50) this.#stale.shift();
  }

  #travels(port: Port, live: Live): void {
    live.held[port.id] = (live.held[port.id] as number) - 1;
    live.travelling++;
  }

  #arrives(port: Port, live: Live): void {
    live.travelling--;
    live.held[port.id] = (live.held[port.id] as number) + 1;
  }

  // ---------------------------------------------------------------------------------- steps

  alloc(who: number): void {
    const port = this.#port(who);
    const handle = port.engine.alloc();
    if (handle !== 0) this.#came(port, handle, port.geometry.pageBytes);
    else this.#mustBeEmpty(port);
  }

  allocFragment(who: number, bytes: number): void {
    const port = this.#port(who);
    const handle = port.engine.allocFragment(bytes);
    if (handle !== 0) this.#came(port, handle, bytes);
    else this.#mustBeEmpty(port);
  }

  /** Nothing that this port can reach has a page. */
  #mustBeEmpty(port: Port): void {
    const { cached, ring, provider } = statsOf(port).pages;
    const own = cachedPages(port.memory, port.geometry, port.id);
    must(
      own + ring + provider === 0,
      () => `0 came with ${own} own, ${ring} in the ring, ${provider} fresh, ${cached}`,
    );
  }

  burst(who: number, count: number, isBulk: boolean): void {
    const port = this.#port(who);
    const { own, ownAddress } = port.scratch;
    const before = statsOf(port).alloc;
    const isDone = isBulk && allocBulkAt(port, ownAddress, count);
    const got = isBulk ? (isDone ? count : 0) : port.engine.allocBurst(ownAddress, count);
    if (isBulk && !isDone) {
      // What a refused bulk had taken and gave back was allocated and recycled.
      const after = statsOf(port).alloc;
      this.#wholes += after.fast + after.slow + after.refill - before.fast - before.slow - before.refill;
      must(after.fail === before.fail + 1, () => 'a refused bulk is one failure');
      return;
    }
    for (const handle of own.slice(0, got)) this.#came(port, handle, port.geometry.pageBytes);
    if (got < count) this.#mustBeEmpty(port);
  }

  retain(who: number, choice: number, count: number): void {
    const port = this.#port(who);
    const live = this.#pick(port, choice);
    if (live === undefined) return;
    must(port.engine.retain(live.handle, count) === OK, () => `retain of ${live.handle} is refused`);
    live.held[port.id] = (live.held[port.id] as number) + count;
  }

  release(who: number, choice: number): void {
    const port = this.#port(who);
    const live = this.#pick(port, choice);
    if (live === undefined) return;
    this.#verify(port, live);
    const code = port.engine.release(live.handle);
    must(code === OK, () => `release of ${live.handle}: ${code}`);
    live.held[port.id] = (live.held[port.id] as number) - 1;
    this.#settle(live);
  }

  #verify(port: Port, live: Live): void {
    const content = bytesAt(port, live.unit, live.bytes);
    must(content[0] === (live.handle & 0xff) && content[live.bytes - 1] === (live.handle & 0xff), () => 'torn bytes');
  }

  /** Releases up to `count` references in one call, with a bad handle somewhere among them. */
  releaseBulk(who: number, choice: number, count: number, badAt: number): void {
    const port = this.#port(who);
    const picked = this.#heldBy(port).slice(choice % 3, (choice % 3) + count);
    const handles = picked.map((live) => live.handle);
    const bad = badAt < handles.length ? badAt : handles.length;
    if (bad < handles.length) handles.splice(bad, 0, this.#stale.at(-1) ?? 0);
    port.scratch.own.set(handles);
    const done = port.engine.releaseBulk(port.scratch.ownAddress, handles.length);
    must(done === bad, () => `a bulk with a bad handle at ${bad} released ${done}`);
    for (const live of picked.slice(0, bad)) {
      live.held[port.id] = (live.held[port.id] as number) - 1;
      this.#settle(live);
    }
  }

  /** Every call refuses a handle that is gone. */
  useStale(who: number, choice: number): void {
    const port = this.#port(who);
    const handle = this.#stale[choice % this.#stale.length];
    // A generation may have come around, and a page's words tell less after a port left with references.
    if (handle === undefined || this.#live.has(handle) || this.#tainted.has(pageOf(port, handle))) return;
    const { engine } = port;
    for (const code of [engine.release(handle), engine.retain(handle, 1), engine.refCount(handle), engine.pin(handle)])
      must(code < 0, () => `stale handle ${handle} is accepted: ${code}`);
    must(engine.offset(handle) === 0 && engine.extent(handle) < 0, () => `stale handle ${handle} has a place`);
    must(
      engine.send(0, handle, 0, 0, 0) < 0 && engine.lend(handle, 0, 0, 0) < 0,
      () => `stale handle ${handle} travels`,
    );
  }

  /** Every call refuses a live handle of a page on which the port holds nothing. */
  useOthers(who: number, choice: number): void {
    const port = this.#port(who);
    const others = [...this.#live.values()].filter((live) => this.#row(port, live.page) === 0);
    const live = others[choice % others.length];
    if (live === undefined) return;
    const { engine } = port;
    for (const code of [
      engine.release(live.handle),
      engine.retain(live.handle, 1),
      engine.pin(live.handle),
      engine.send(0, live.handle, 0, 0, 0),
      engine.lend(live.handle, 0, 0, 0),
    ]) {
      must(code === ERR_NOT_HELD, () => `handle ${live.handle} of others: ${code}`);
    }
  }

  send(who: number, which: number, choice: number, count: number): void {
    const port = this.#port(who);
    const index = which % this.#channels.length;
    const state = this.#channels[index] as ChannelState;
    const channel = port.geometry.channels[index] as ChannelGeometry;
    const held = this.#heldBy(port);
    if (held.length === 0) return;
    const picked = Array.from({ length: count }, (_, i) => held[(choice + i) % held.length] as Live).filter(
      (live, i, all) => all.slice(0, i).filter((other) => other === live).length < (live.held[port.id] as number),
    );
    const tags = picked.map(() => this.#tag++);
    const insideBefore = state.entries.size;
    const slots = [...filledNodes(port.memory, channel.ring)].length;
    const sent =
      count === 1
        ? this.#sendOne(port, index, picked[0] as Live, tags[0] as number)
        : this.#sendBurst(port, index, picked, tags);
    if (sent < picked.length) {
      must(channel.whenFull === 'refuse', () => `${channel.name} refused`);
      const isFull =
        insideBefore + sent >= channel.capacity ||
        slots + Math.ceil(sent / channel.batch) >= channel.capacity ||
        [...filledNodes(port.memory, channel.ring)].length === channel.capacity;
      must(isFull, () => `${channel.name} refused with ${insideBefore + sent} entries in ${slots} nodes`);
    }
    picked.slice(0, sent).forEach((live, i) => {
      this.#travels(port, live);
      const tag = tags[i] as number;
      state.entries.set(tag, { live, sender: port.id, order: tag, isOrdered: true });
    });
    this.#follow(port, index);
  }

  #sendOne(port: Port, channel: number, live: Live, tag: number): number {
    const code = port.engine.send(channel, live.handle, 0, live.bytes, tag);
    must(code === OK || code === FULL, () => `send: ${code}`);
    return code === OK ? 1 : 0;
  }

  #sendBurst(port: Port, channel: number, picked: readonly Live[], tags: readonly number[]): number {
    port.scratch.own.set(picked.flatMap((live, i) => [live.handle, 0, live.bytes, tags[i] as number]));
    const sent = port.engine.sendBurst(channel, port.scratch.ownAddress, picked.length, 0);
    const code = port.engine.lastError();
    must(sent === picked.length ? code === OK : code === FULL, () => `a burst sent ${sent}: ${code}`);
    return sent;
  }

  /** Takes over which entries the channel's policy dropped, and checks that it might. */
  #follow(port: Port, index: number): void {
    const state = this.#channels[index] as ChannelState;
    const channel = port.geometry.channels[index] as ChannelGeometry;
    const inside = this.#inside(port, channel);
    const gone = [...state.entries].filter(([tag]) => !inside.has(tag));
    must(channel.whenFull !== 'refuse' || gone.length === 0, () => `${channel.name} lost ${gone.length}`);
    for (const [tag, { live }] of gone) {
      state.entries.delete(tag);
      live.travelling--;
      this.#settle(live);
      state.dropped++;
    }
    for (const tag of inside) must(state.entries.has(tag), () => `entry ${tag} is in ${channel.name} by itself`);
    const dropped = laneSum(port.memory, port.geometry, channel, LANE_DROPPED_OFFSET);
    must(dropped === state.dropped, () => `${channel.name} counts ${dropped} dropped (expected ${state.dropped})`);
  }

  /**
   * The tags of all entries in a channel, in its ring and in the ports' inboxes; of one port's inbox alone if given.
   */
  #inside({ memory, geometry }: Port, channel: ChannelGeometry, inboxOf?: number): Set<number> {
    const tags = new Set<number>();
    const visit = (node: number): void => {
      const address = nodeOffset(channel.ring, node);
      const count = loadWord(memory, address + NODE_COUNT_OFFSET);
      for (let i = loadWord(memory, address + NODE_TAKEN_OFFSET); i < count; i++) {
        const tag = loadWord(memory, address + NODE_ENTRIES_OFFSET + (i << ENTRY_SHIFT) + 12);
        must(!tags.has(tag), () => `entry ${tag} is twice in ${channel.name}`);
        tags.add(tag);
      }
    };
    if (inboxOf === undefined) {
      for (const node of filledNodes(memory, channel.ring)) visit(node);
      for (let id = 0; id < geometry.maxPorts; id++) {
        visit(loadWord(memory, laneOffset(channel, id) + LANE_INBOX_OFFSET));
        visit(loadWord(memory, laneOffset(channel, id) + LANE_OUTBOX_OFFSET));
      }
    } else visit(loadWord(memory, laneOffset(channel, inboxOf) + LANE_INBOX_OFFSET));
    return tags;
  }

  receive(who: number, which: number, count: number): void {
    const port = this.#port(who);
    const index = which % this.#channels.length;
    const { entries } = this.#channels[index] as ChannelState;
    const channel = port.geometry.channels[index] as ChannelGeometry;
    const { own, ownAddress } = port.scratch;
    const came = port.engine.receiveBurst(index, ownAddress, count);
    for (let i = 0; i < came; i++) {
      const [handle = 0, offset, length, tag = -1] = own.subarray(4 * i, 4 * i + 4);
      const entry = entries.get(tag);
      must(entry !== undefined && entry.live.handle === handle, () => `entry ${tag} with handle ${handle} came`);
      must(offset === 0 && length === entry.live.bytes, () => `entry ${tag} came with another window`);
      entries.delete(tag);
      const inboxes = new Set(this.ports.flatMap(({ id }) => [...this.#inside(port, channel, id)]));
      for (const [other, { sender, order, isOrdered }] of entries) {
        const isEarlier = isOrdered && entry.isOrdered && sender === entry.sender && order < entry.order;
        must(!isEarlier || inboxes.has(other), () => `entry ${tag} came before ${other}`);
      }
      this.#verify(port, entry.live);
      this.#arrives(port, entry.live);
    }
    if (came === count) return;
    must(port.engine.lastError() === EMPTY, () => `${came} came: ${port.engine.lastError()}`);
    let elsewhere = 0;
    for (const { id } of this.ports) elsewhere += this.#inside(port, channel, id).size;
    must(entries.size === elsewhere, () => `${came} came, ${entries.size} are inside, ${elsewhere} received by others`);
  }

  lend(who: number, choice: number): void {
    const port = this.#port(who);
    const live = this.#pick(port, choice);
    if (live === undefined) return;
    const loan = port.engine.lend(live.handle, 0, live.bytes, this.#tokens.length);
    must(loan >= 0, () => `lend: ${loan}`);
    const { index, sequence } = loanParts(loan);
    this.#travels(port, live);
    this.#tokens.push({ live, index, sequence });
  }

  adopt(who: number, choice: number): void {
    const port = this.#port(who);
    const [token] = this.#tokens.splice(choice % (this.#tokens.length || 1), 1);
    if (token === undefined) return;
    const { live, index, sequence } = token;
    const code = port.engine.adopt(index, sequence, port.scratch.ownAddress);
    must(code === OK, () => `adopt: ${code}`);
    const [handle, offset, length] = port.scratch.own;
    must(handle === live.handle && offset === 0 && length === live.bytes, () => 'another reference was adopted');
    this.#arrives(port, live);
    this.#spent.push(token);
  }

  adoptSpent(who: number, choice: number): void {
    const port = this.#port(who);
    const token = this.#spent[choice % this.#spent.length];
    if (token === undefined) return;
    const code = port.engine.adopt(token.index, token.sequence, port.scratch.ownAddress);
    must(code === ERR_TOKEN_SPENT, () => `a spent token: ${code}`);
  }

  reclaim(who: number): void {
    const port = this.#port(who);
    const reclaimed = reclaimTokens(port, 0xffffffff);
    must(reclaimed === this.#tokens.length, () => `${reclaimed} reclaimed (expected ${this.#tokens.length})`);
    for (const token of this.#tokens.splice(0)) {
      token.live.travelling--;
      this.#settle(token.live);
      this.#spent.push(token);
    }
  }

  pin(who: number, choice: number): void {
    const port = this.#port(who);
    const live = this.#pick(port, choice);
    if (live === undefined) return;
    const page = port.engine.pin(live.handle);
    must(page === live.page, () => `pin: ${page}`);
    this.#pins.set(page, (this.#pins.get(page) ?? 0) + 1);
    if (!this.#pinned.has(page)) this.#pinned.set(page, { unit: live.unit, value: live.handle & 0xff });
  }

  unpin(who: number, choice: number): void {
    const port = this.#port(who);
    const pages = [...this.#pins.keys()];
    const page = pages[choice % pages.length];
    if (page === undefined) {
      const code = port.engine.unpin((choice % port.geometry.pageCount) + 1);
      must(code === ERR_PIN, () => `unpin of a page without pins: ${code}`);
      return;
    }
    const { unit, value } = this.#pinned.get(page) as { unit: number; value: number };
    must(bytesAt(port, unit, 1)[0] === value, () => `the bytes of page ${page} changed while it was pinned`);
    const code = port.engine.unpin(page);
    must(code === OK, () => `unpin: ${code}`);
    const left = (this.#pins.get(page) as number) - 1;
    if (left > 0) this.#pins.set(page, left);
    else {
      this.#pins.delete(page);
      this.#pinned.delete(page);
    }
  }

  /** A port hands its cache back, goes on caching, answers a request, or gives what is in the ring to the provider. */
  park(who: number): void {
    this.#port(who).engine.park();
  }
  unpark(who: number): void {
    this.#port(who).engine.unpark();
  }
  poll(who: number): void {
    this.#port(who).engine.poll();
  }
  trim(who: number): void {
    const port = this.#port(who);
    port.engine.trim();
    must(statsOf(port).pages.ring === 0, () => 'pages are in the ring after trim');
  }

  /** A port detaches with the references that it holds, and another one takes its place. */
  detach(who: number): void {
    const port = this.#port(who);
    const { id, memory, geometry } = port;
    for (const channel of geometry.channels) {
      for (const tag of this.#inside(port, channel, id)) {
        const entry = this.#channels[geometry.channels.indexOf(channel)]?.entries.get(tag);
        if (entry !== undefined) entry.isOrdered = false;
      }
    }
    for (const live of this.#heldBy(port)) this.#tainted.add(live.page);
    const before = geometry.channels.map((channel) => this.#inside(port, channel));
    emptyPort(port, true);
    for (const live of this.#heldBy(port)) {
      live.held[id] = 0;
      this.#settle(live);
    }
    geometry.channels.forEach((channel, index) => {
      // Entries that had no room any more were released one by one, not dropped by the policy.
      const after = this.#inside(port, channel);
      const state = this.#channels[index] as ChannelState;
      for (const tag of before[index] as Set<number>) {
        if (after.has(tag)) continue;
        const entry = state.entries.get(tag) as Entry;
        state.entries.delete(tag);
        entry.live.travelling--;
        this.#settle(entry.live);
      }
      state.dropped = laneSum(memory, geometry, channel, LANE_DROPPED_OFFSET);
    });
    freePort(port);
    const next = openPort(memory, geometry, this.#kinds[(id + 1) % this.#kinds.length] as EngineKind);
    must(next.id === id, () => `port ${next.id} was claimed (expected ${id})`);
    if (this.#isTracked) track(next, 'all');
    this.ports[id] = next;
  }

  // ---------------------------------------------------------------------------------- after every step

  check(): void {
    const [first] = this.ports as [Port];
    const audit = requireBalance(first);
    const live = [...this.#live.values()];
    const used = new Set(live.map(({ page }) => page));
    for (const port of this.ports) {
      const open = loadWord(port.memory, portOffset(port.geometry, port.id) + PORT_FRAGMENT_PAGE_OFFSET);
      if (open !== 0) used.add(open);
    }
    must(audit.pages.used === used.size, () => `${audit.pages.used} pages used (expected ${used.size})`);
    const left = [...this.#pins.keys()].filter((page) => !used.has(page));
    must(audit.pages.pinned === left.length, () => `${audit.pages.pinned} pages pinned (expected ${left.length})`);
    const references = {
      ledgers: live.reduce((sum, { held }) => sum + held.reduce((a, b) => a + b), 0),
      channels: this.#channels.reduce((sum, { entries }) => sum + entries.size, 0),
      tokens: this.#tokens.length,
    };
    for (const [place, count] of Object.entries(references)) {
      const found = audit.references[place as keyof typeof references];
      must(found === count, () => `${found} references in ${place} (expected ${count})`);
    }
    for (const { handle, page, unit, bytes, held, travelling } of live) {
      if (this.#tainted.has(page)) continue;
      const count = held.reduce((a, b) => a + b) + travelling;
      const found = first.engine.refCount(handle);
      must(found === count, () => `handle ${handle} counts ${found} (expected ${count})`);
      const end = unit + bytes / first.geometry.unitBytes;
      const isOverlapped = live.some((other) => other.handle !== handle && other.unit >= unit && other.unit < end);
      must(!isOverlapped, () => `handle ${handle} is overlapped`);
    }
    this.#checkStats(first, used.size);
    if (this.#isTracked) for (const port of this.ports) this.#checkTracked(port);
  }

  /** What a port's tracker lists is what it holds. */
  #checkTracked(port: Port): void {
    const show = (held: (readonly [number, number])[]): string => JSON.stringify(held.sort(([a], [b]) => a - b));
    const listed = show((port.leaks?.reports(0) ?? []).map(({ handle, references }) => [handle, references]));
    const expected = show(this.#heldBy(port).map(({ handle, held }) => [handle, held[port.id] as number]));
    must(listed === expected, () => `port ${port.id} lists ${listed} (expected ${expected})`);
  }

  #checkStats(port: Port, used: number): void {
    const { alloc, recycle, pages } = statsOf(port);
    const allocated = alloc.fast + alloc.slow + alloc.refill;
    const expected = this.#wholes + this.#openings;
    must(allocated === expected, () => `fast + slow + refill = ${allocated} (expected ${expected})`);
    must(alloc.fragments === this.#fragments, () => `${alloc.fragments} fragments (expected ${this.#fragments})`);
    const home = recycle.cached + recycle.ring + recycle.releasedRefcnt;
    must(allocated - home === used, () => `${allocated} allocated, ${home} came home, ${used} used`);
    must(pages.used === used, () => `stats say ${pages.used} pages used (expected ${used})`);
  }

  /** Gives everything back and checks that every page is home. */
  drain(): void {
    const [port] = this.ports as [Port];
    this.reclaim(0);
    for (const [index] of this.#channels.entries()) {
      for (const [who] of this.ports.entries()) this.receive(who, index, 50);
    }
    for (const page of [...this.#pins.keys()])
      while (this.#pins.has(page)) this.unpin(0, [...this.#pins.keys()].indexOf(page));
    for (const [who, each] of this.ports.entries()) {
      for (const held of this.#heldBy(each)) while ((held.held[each.id] as number) > 0) this.#drop(who, held);
    }
    for (const { engine } of this.ports) engine.park();
    port.engine.trim();
    const { pages, references } = requireBalance(port);
    must(pages.provider === pages.total, () => `not home: ${JSON.stringify(pages)}`);
    must(references.ledgers + references.channels + references.tokens === 0, () => JSON.stringify(references));
  }

  #drop(who: number, live: Live): void {
    const port = this.#port(who);
    this.release(who, this.#heldBy(port).indexOf(live));
  }
}
