// Reaping by hand: what a dead port had goes back, what may live is refused or set aside, and a reaper may die as well.

import type { PagePool } from 'pagepool';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  CLAIM_ACTIVE,
  CLAIM_REAPER_SHIFT,
  CLAIM_REAPING,
  CLAIM_SEQ_SHIFT,
  CLAIM_STATE_MASK,
  CONTROL_BASE,
  DESCRIPTOR_HOME_OFFSET,
  DESCRIPTOR_PINS_OFFSET,
  DESCRIPTOR_SHIFT,
  ERR_PIN,
  HEADER_TAKER_OFFSET,
  HOME_HELD,
  HOME_PORT_SHIFT,
  HOME_STAMP_SHIFT,
  OK,
  PIN_LAST_SHIFT,
  PIN_LEFT,
  PORT_CLAIM_OFFSET,
  PORT_RECORD_ADDRESS_OFFSET,
  PORT_RECORD_KIND_OFFSET,
  PORT_RECORD_PAGE_OFFSET,
  PORT_RECORD_VALUE_OFFSET,
  RECORD_CLAIM,
  RECORD_CUT,
} from '../../assembly/layout.js';
import { claimOf, freePort, keepClaim, seatWord } from '../../src/control/claims.js';
import { portOffset } from '../../src/control/places.js';
import type { Port } from '../../src/port/port.js';
import { PortReaper } from '../../src/recovery/port-reaper.js';
import { create, type EngineKind, KINDS, openPort } from '../support/ports.js';
import { codeOf, loadAnotherRealm, messageOf } from '../support/realm.js';
import { portBeside } from '../support/shared-ports.js';
import { HUNG_MS, turns, until } from '../support/waiting.js';

describe.each(KINDS)('with the %s engine', (kind: EngineKind) => {
  let pool: PagePool;
  /** The port of a thread that is gone. */
  let dead: Port;

  beforeEach(() => {
    pool = create(kind, { pageCount: 32, maxPorts: 5, channels: { work: { capacity: 8, batch: 4 }, back: {} } });
    dead = portBeside(pool, kind);
  });
  afterEach(() => {
    pool.destroy();
    pool.detach({ release: true }); // what the dead still hold lets no closing end: its timer would run on
  });

  /** What a reaper knows that was told of the port's end. */
  const reapKnown = (port: Port): void => new PortReaper(own()).reapClaim(port.id, port.claim);
  /** This thread's own port, as the reaper sees it. */
  const own = (): Port => ({ ...dead, id: pool.portId });
  const stateOf = (id: number): number => claimOf(dead.memory, dead.geometry, id) & CLAIM_STATE_MASK;
  const state = (port: Port): number => stateOf(port.id);

  function expectAllHome(): void {
    const audit = pool.audit();
    expect(audit.errors).toEqual([]);
    expect(audit).toMatchObject({ exact: true, balanced: true, pages: { used: 0 } });
    pool.trim();
    expect(pool.inflight).toBe(0);
  }

  it('clears the name of a dead taker, and nobody else’s', () => {
    const taker = (CONTROL_BASE + HEADER_TAKER_OFFSET) >>> 2;
    const other = portBeside(pool, kind);
    Atomics.store(dead.memory.i32, taker, seatWord(other));
    reapKnown(dead);
    expect(Atomics.load(dead.memory.i32, taker)).toBe(seatWord(other));
    reapKnown(other);
    expect(Atomics.load(dead.memory.i32, taker)).toBe(0);
  });

  it('takes back pages, fragments, the cache, entries and waiting bits of a dead port, and frees it', () => {
    const { engine, scratch } = dead;
    for (let i = 0; i < 3; i++) engine.alloc();
    const fragment = engine.allocFragment(100);
    engine.retain(fragment, 4);
    engine.release(engine.alloc());
    // Two entries received in a batch, one of them taken; one sent by it that another may still receive.
    for (let i = 0; i < 2; i++) pool.channel('back').send(pool.alloc(), 0, 1, i);
    expect(engine.receiveBurst(1, scratch.ownAddress, 1)).toBe(1);
    expect(engine.send(0, engine.alloc(), 0, 1, 9)).toBe(0);
    reapKnown(dead);
    expect(state(dead)).toBe(0);
    const sent = pool.channel('work').receive();
    expect(sent?.tag).toBe(9);
    sent?.release();
    const returned = pool.channel('back').receive();
    expect(returned?.tag).toBe(1);
    returned?.release();
    expectAllHome();
    expect(openPort(dead.memory, dead.geometry, kind).id).toBe(dead.id);
  });

  it.each([
    ['keeps the pin by which the owner called the page back', 1, 'left'],
    ['clears the mark of the page’s last leaving', (PIN_LEFT | (1 << PIN_LAST_SHIFT)) >>> 0, 'home'],
  ] as const)('finishes a claim that its thread died in, and %s', (_, pins, place) => {
    const { geometry, id, memory } = dead;
    const page = geometry.pageCount; // nobody came so far yet
    const descriptor = geometry.descriptorsOffset + (page << DESCRIPTOR_SHIFT);
    const set = (address: number, word: number): void => void Atomics.store(memory.i32, address >>> 2, word | 0);
    const home = (1 << HOME_STAMP_SHIFT) | ((id + 1) << HOME_PORT_SHIFT) | HOME_HELD;
    const port = portOffset(geometry, id);
    set(port + PORT_RECORD_PAGE_OFFSET, page);
    set(port + PORT_RECORD_ADDRESS_OFFSET, home);
    set(port + PORT_RECORD_VALUE_OFFSET, 0);
    set(port + PORT_RECORD_KIND_OFFSET, RECORD_CLAIM);
    set(descriptor + DESCRIPTOR_HOME_OFFSET, home);
    set(descriptor + DESCRIPTOR_PINS_OFFSET, pins);
    reapKnown(dead);
    expect(pool.stats().pages.pinned).toBe(place === 'left' ? 1 : 0);
    expect(openPort(memory, geometry, kind).engine.unpin(page)).toBe(place === 'left' ? OK : ERR_PIN);
    expectAllHome();
  });

  it('reports what it found, and nothing for a port that is free', () => {
    const { engine } = dead;
    const handles = Array.from({ length: 4 }, () => engine.alloc());
    engine.retain(handles[0] as number, 2);
    engine.release(handles.pop() as number);
    expect(pool.reap(dead.id, { force: true })).toMatchObject({ isReaped: false, isQuarantined: true });
    expect(pool.audit()).toMatchObject({ reaped: [dead.id], exact: true, balanced: true });
    expect(pool.reap(dead.id)).toMatchObject({ portId: dead.id, isReaped: false, isQuarantined: false });
    expect(pool.reap(4)).toMatchObject({ portId: 4, isReaped: false });
    expectAllHome();
  });

  it('is harmless when it is done twice, also with force', () => {
    dead.engine.alloc();
    reapKnown(dead);
    reapKnown(dead);
    for (const force of [false, true]) expect(pool.reap(dead.id, { force })).toMatchObject({ isReaped: false });
    expectAllHome();
  });

  it('does not touch a port that another thread has claimed since', () => {
    dead.engine.alloc();
    reapKnown(dead);
    const next = openPort(dead.memory, dead.geometry, kind);
    expect(next.id).toBe(dead.id);
    const handle = next.engine.alloc();
    reapKnown(dead);
    expect(next.engine.refCount(handle)).toBe(1);
    expect(codeOf(() => pool.reap(next.id))).toBe('POOL_ERR_INVALID_ARGUMENT');
    next.engine.release(handle);
    next.engine.park();
    freePort(next);
    expectAllHome();
  });

  it('refuses its own port, numbers that are no port, options that are none, and a pool it has left', () => {
    expect(messageOf(() => pool.reap(pool.portId))).toContain("portId=0 (expected another thread's port)");
    for (const portId of [-1, 5, 1.5, Number.NaN, '1', null, undefined]) {
      expect(codeOf(() => pool.reap(portId as number))).toBe('POOL_ERR_INVALID_ARGUMENT');
    }
    for (const options of [{ force: 1 }, { forced: true }, 7, null]) {
      const code = codeOf(() => pool.reap(4, options as never));
      expect(code).toBe(options === null ? undefined : 'POOL_ERR_INVALID_ARGUMENT');
    }
    pool.detach();
    expect(codeOf(() => pool.reap(dead.id))).toBe('POOL_ERR_DESTROYED');
    expect(codeOf(() => pool.watch({}))).toBe('POOL_ERR_DESTROYED');
  });

  it('refuses a port whose thread may live, says what to do, and changes nothing', () => {
    const handle = dead.engine.alloc();
    const message = messageOf(() => pool.reap(dead.id));
    expect(message).toContain(`portId=${dead.id} (expected a port whose thread is known to be dead)`);
    expect(message).toContain('watch(worker) it, or pass { force: true }');
    expect(dead.engine.refCount(handle)).toBe(1);
    expect(keepClaim(dead)).toBe(true);
  });

  describe('a port that is set aside', () => {
    it('keeps everything until an audit finds it as it was, and is reaped then', () => {
      const handle = dead.engine.alloc();
      pool.reap(dead.id, { force: true });
      expect(dead.engine.refCount(handle)).toBe(1);
      expect(pool.stats().ports[dead.id]?.isClaimed).toBe(true);
      expect(pool.audit()).toMatchObject({ reaped: [dead.id], errors: [], pages: { used: 0 } });
      expect(pool.audit()).toMatchObject({ reaped: [] });
      expectAllHome();
    });

    it('stays set aside when its thread did something since, until it is set aside anew', () => {
      dead.engine.alloc();
      pool.reap(dead.id, { force: true });
      dead.engine.alloc();
      expect(pool.audit()).toMatchObject({ reaped: [], pages: { used: 2 } });
      expect(pool.audit()).toMatchObject({ reaped: [], pages: { used: 2 } });
      expect(pool.reap(dead.id, { force: true })).toMatchObject({ isQuarantined: true });
      expect(pool.audit()).toMatchObject({ reaped: [dead.id], pages: { used: 0 } });
      expectAllHome();
    });

    it('is reaped although it died inside a step; one that is not set aside makes the audit inexact', () => {
      const page = dead.engine.allocFragment(64);
      const { memory, geometry } = dead;
      const kindWord = (portOffset(geometry, dead.id) + PORT_RECORD_KIND_OFFSET) >>> 2;
      // As it stops behind the first store of a cut that is taken back.
      memory.u32[kindWord] = RECORD_CUT | (1 << 16);
      memory.u32[kindWord + 7] = (1 << 16) | 1;
      expect(pool.audit().exact).toBe(false);
      expect(pool.audit().reaped).toEqual([]);
      pool.reap(dead.id, { force: true });
      expect(pool.audit()).toMatchObject({ exact: true, reaped: [dead.id], errors: [] });
      expect(pool.stats()).toMatchObject({ repaired: 1 });
      expect(codeOf(() => pool.release(page))).toBe('POOL_ERR_STALE_HANDLE');
      expectAllHome();
    });

    it('is taken back by a thread that lives, as soon as that thread hears of it', async () => {
      const realm = await loadAnotherRealm();
      const other = realm.PagePool.attach(pool.share() as never);
      const handle = other.alloc();
      expect(pool.reap(other.portId, { force: true })).toMatchObject({ isQuarantined: true });
      await until(() => stateOf(other.portId) === CLAIM_ACTIVE);
      expect(pool.audit()).toMatchObject({ reaped: [] });
      expect(codeOf(() => pool.reap(other.portId))).toBe('POOL_ERR_INVALID_ARGUMENT');
      other.release(handle);
      other.detach();
    });

    it('leaves by itself, when its thread detaches', async () => {
      const realm = await loadAnotherRealm();
      const other = realm.PagePool.attach(pool.share() as never);
      pool.reap(other.portId, { force: true });
      other.detach();
      expect(pool.audit()).toMatchObject({ reaped: [], balanced: true });
      expect(pool.reap(other.portId)).toMatchObject({ isReaped: false });
    });

    it('is gone for a thread that lived after all: its calls refuse, and the port is not touched by it', async () => {
      const realm = await loadAnotherRealm();
      const other = realm.PagePool.attach(pool.share() as never);
      const handle = other.alloc();
      const waiting = other.channel('work').next();
      const ended = waiting.catch((error) => error.code);
      pool.reap(other.portId, { force: true });
      expect(pool.audit()).toMatchObject({ reaped: [other.portId] });
      const next = openPort(dead.memory, dead.geometry, kind);
      expect(next.id).toBe(other.portId);
      const page = next.engine.alloc();
      expect(await ended).toBe('POOL_ERR_DESTROYED');
      for (const call of [() => other.alloc(), () => other.release(handle), () => other.poll(), () => other.detach()]) {
        expect(codeOf(call)).toBe(
          call.toString().includes('alloc') || call.toString().includes('release') ? 'POOL_ERR_DESTROYED' : undefined,
        );
      }
      expect(next.engine.refCount(page)).toBe(1);
      expect(keepClaim(next)).toBe(true);
      next.engine.release(page);
      next.engine.park();
      freePort(next);
    });

    it('is reaped by a thread that learns of its death meanwhile', () => {
      dead.engine.alloc();
      pool.reap(dead.id, { force: true });
      reapKnown(dead);
      expect(state(dead)).toBe(0);
      expectAllHome();
    });
  });

  describe('a port that is being reaped', () => {
    /** Leaves the port as a reaper that stopped right behind its claim. */
    const claimFor = (port: Port, reaper: number): void => {
      const word =
        ((port.claim >>> CLAIM_SEQ_SHIFT) << CLAIM_SEQ_SHIFT) | ((reaper + 1) << CLAIM_REAPER_SHIFT) | CLAIM_REAPING;
      port.memory.u32[(portOffset(port.geometry, port.id) + PORT_CLAIM_OFFSET) >>> 2] = word;
    };

    it('is refused, saying who reaps it, also with force', () => {
      const reaper = openPort(dead.memory, dead.geometry, kind);
      dead.engine.alloc();
      claimFor(dead, reaper.id);
      for (const force of [false, true]) {
        const message = messageOf(() => pool.reap(dead.id, { force }));
        expect(message).toContain(
          `portId=${dead.id} (expected a port that nobody reaps, not one that port ${reaper.id} reaps)`,
        );
      }
      expect(state(dead)).toBe(CLAIM_REAPING);
      freePort(reaper);
      expect(pool.reap(dead.id)).toMatchObject({ isReaped: true, pages: 1 });
      expectAllHome();
    });

    it('is reaped with its reaper, whichever of the two is asked for', () => {
      const chain = [dead, openPort(dead.memory, dead.geometry, kind), openPort(dead.memory, dead.geometry, kind)];
      for (const port of chain) {
        port.engine.alloc();
        port.engine.release(port.engine.alloc());
      }
      const [first, second, third] = chain as [Port, Port, Port];
      claimFor(first, second.id);
      claimFor(second, third.id);
      expect(codeOf(() => pool.reap(first.id))).toBe('POOL_ERR_INVALID_ARGUMENT');
      reapKnown(third);
      expect(chain.map(state)).toEqual([0, 0, 0]);
      expectAllHome();
    });

    it('is found through a reaper that is known to be dead', () => {
      const reaper = openPort(dead.memory, dead.geometry, kind);
      dead.engine.alloc();
      claimFor(dead, reaper.id);
      const known = new PortReaper(own());
      known.reapClaim(dead.id, dead.claim);
      expect(state(dead)).toBe(CLAIM_REAPING);
      known.reapClaim(reaper.id, reaper.claim);
      expect([state(dead), state(reaper)]).toEqual([0, 0]);
      expectAllHome();
    });

    it('is finished by the same thread when it was interrupted', () => {
      dead.engine.alloc();
      claimFor(dead, pool.portId);
      expect(pool.reap(dead.id)).toMatchObject({ isReaped: true, pages: 1, references: 1 });
      expectAllHome();
    });
  });

  it('wakes those who wait for what the dead thread was about to tell them', async () => {
    const { memory, geometry } = dead;
    // The entry is in the ring; the thread died before it looked for waiters.
    const waiting = pool.channel('work').next({ timeoutMs: HUNG_MS });
    await turns();
    const silent = openPort(memory, geometry, 'typescript');
    Object.assign(silent.engine, { wake: () => {} });
    expect(silent.engine.send(0, silent.engine.alloc(), 0, 1, 3)).toBe(0);
    expect(pool.channel('work').pending).toBe(1);
    await turns();
    new PortReaper(own()).reapClaim(silent.id, silent.claim);
    const fragment = await waiting;
    expect(fragment?.tag).toBe(3);
    fragment?.release();
  });

  it('gives a thread that waits for pages what came back', async () => {
    while (dead.engine.alloc() !== 0);
    expect(pool.alloc()).toBe(0);
    const waiting = pool.takeAsync(undefined, { timeoutMs: HUNG_MS });
    await turns();
    reapKnown(dead);
    (await waiting).release();
    expectAllHome();
  });
});
