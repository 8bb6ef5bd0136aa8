// The reaper of one attached thread: whose port may be reaped, in which order, and who is notified afterwards.
//
// The thread of an attached port only, never inside another call of its own: from the public call, from a worker's
// exit, from a lock that was granted. The steps themselves stand in reap.ts and act through an engine on the dead port,
// of the kind that serves this thread's own, whatever engine the dead thread had. Source of the order: a reaper's port
// is reaped before the ports that it was reaping.

import {
  CLAIM_FREE,
  CLAIM_REAPING,
  CLAIM_STATE_MASK,
  CONTROL_BASE,
  HEADER_REAPS_OFFSET,
  LANE_INBOX_OFFSET,
  LANE_OUTBOX_OFFSET,
  NODE_COUNT_OFFSET,
  NODE_TAKEN_OFFSET,
  PORT_LOADED_OFFSET,
  PORT_MERGE_OFFSET,
} from '../../assembly/layout.js';
import { claimOf, isAttached, isSameClaim, reaperOf, threadOf } from '../control/claims.js';
import { readLabel, writeLabel } from '../control/label.js';
import { canAskLives, dropLifeline } from '../control/lifeline.js';
import { laneOffset, loadWord, nodeOffset } from '../control/nodes.js';
import { portOffset } from '../control/places.js';
import { announce } from '../control/state.js';
import { runSteps } from '../control/steps.js';
import { findUnsound, requireSound } from '../control/unsound.js';
import { threadsMarked, watchedBy } from '../control/watched.js';
import { openActing } from '../engine/acting.js';
import type { Engine } from '../engine/engine.js';
import { invalidArgument, requireInteger } from '../errors.js';
import { publish } from '../platform/console.js';
import type { Port } from '../port/port.js';
import { DeadPort } from './dead-port.js';
import { isQuarantined, isQuiet, quarantine } from './quarantine.js';
import { claimDead, emptyFindings, reapClaimed } from './reap.js';
import type { ReapReport } from './report.js';

/** Reaps other threads' ports. */
export class PortReaper {
  readonly #port: Port;
  /** Ports whose threads are known to have ended, with the claims that were theirs. */
  readonly #dead = new Map<number, number>();

  constructor(port: Port) {
    this.#port = port;
  }

  /**
   * Takes back what the port's thread had, if it is known to be dead; with `force` a port is set aside until an audit
   * finds it quiet.
   *
   * @throws PagePoolError POOL_ERR_INVALID_ARGUMENT when the thread may live, or somebody else reaps the port
   */
  reap(portId: number, force: boolean): ReapReport {
    const { memory, geometry, id } = this.#port;
    requireInteger('reap', 'portId', portId, 0, geometry.maxPorts - 1);
    if (portId === id) {
      throw invalidArgument('reap', 'portId', portId, "another thread's port", 'this thread leaves with detach()');
    }
    for (;;) {
      const seen = claimOf(memory, geometry, portId);
      if ((seen & CLAIM_STATE_MASK) === CLAIM_FREE) return emptyFindings(portId);
      const report = this.#isDead(portId, seen)
        ? this.#reapDead(portId, seen)?.find((each) => each.portId === portId)
        : this.#setAside(portId, seen, force);
      if (report !== undefined) return report;
    }
  }

  /** Reaps the ports of a thread that has ended, by its number, and those of the workers that it watched. */
  reapThread(thread: number): void {
    const { memory, geometry } = this.#port;
    for (let id = 0; id < geometry.maxPorts; id++) {
      const claim = claimOf(memory, geometry, id);
      const isClaimed = (claim & CLAIM_STATE_MASK) !== CLAIM_FREE;
      if (isClaimed && threadOf(memory, geometry, id, claim) === thread + 1) this.reapClaim(id, claim);
    }
  }

  /** Reaps a port whose thread is dead, if it still has that claim. */
  reapClaim(id: number, claim: number): void {
    if (id === this.#port.id) return;
    this.#dead.set(id, claim);
    const { memory, geometry } = this.#port;
    for (;;) {
      const seen = claimOf(memory, geometry, id);
      const isOver = (seen & CLAIM_STATE_MASK) === CLAIM_FREE || !isSameClaim(seen, claim);
      if (isOver) this.#dead.delete(id);
      // Somebody who lives reaps it: what that one leaves in turn is found with its own port.
      if (isOver || !this.#isDead(id, seen) || this.#reapDead(id, seen) !== undefined) return;
    }
  }

  /**
   * Reaps the ports that were set aside and have done nothing since. The caller has seen that nothing moves. Which they
   * were.
   */
  reapQuiet(): number[] {
    const { memory, geometry, id: own } = this.#port;
    const reaped: number[] = [];
    for (let id = 0; id < geometry.maxPorts; id++) {
      const claim = claimOf(memory, geometry, id);
      if (id === own || !isQuarantined(claim) || !isQuiet(this.#port, id)) continue;
      if (this.#reapDead(id, claim) !== undefined) reaped.push(id);
    }
    return reaped;
  }

  /** Whether the port, with this claim word, is nobody's any more and free to be reaped by this thread. */
  #isDead(id: number, seen: number): boolean {
    const { memory, geometry, id: own } = this.#port;
    if (isAttached(seen)) return this.#isKnown(id, seen);
    const reaper = reaperOf(seen);
    if (reaper === own) return true;
    const claim = claimOf(memory, geometry, reaper);
    return (claim & CLAIM_STATE_MASK) === CLAIM_FREE || this.#isKnown(reaper, claim);
  }

  #isKnown(id: number, claim: number): boolean {
    const known = this.#dead.get(id);
    return known !== undefined && isSameClaim(known, claim);
  }

  /** Reaps a port that nobody has, its reaper's before. Undefined: its claim word has changed, read it again. */
  #reapDead(id: number, seen: number): ReapReport[] | undefined {
    const { memory, geometry, id: own } = this.#port;
    if ((seen & CLAIM_STATE_MASK) === CLAIM_REAPING && reaperOf(seen) !== own) {
      const reaper = reaperOf(seen);
      const claim = claimOf(memory, geometry, reaper);
      // The reaper's port inherits this one.
      if (this.#isKnown(reaper, claim)) return this.#reapDead(reaper, claim);
    }
    requireActable(this.#port, id);
    const dead = new DeadPort(memory, geometry, id, this.#clear);
    // Claiming takes no engine: none is opened before the port is this reaper's.
    if (!runSteps(claimDead(dead, seen, own), () => this.#openEngine(id))) return undefined;
    const reports = this.#act(dead);
    announce(memory);
    return reports;
  }

  /** Acts as the dead port, which is claimed, and as those that its thread was reaping. */
  #act(dead: DeadPort): ReapReport[] {
    const { memory, geometry, id: own } = this.#port;
    const findings = emptyFindings(dead.id);
    const claim = claimOf(memory, geometry, dead.id);
    // Now: later they are another thread's words. A port that was set aside may be of one that lives, with its workers.
    const watched = this.#isKnown(dead.id, claim) ? watchedBy(this.#port, dead.id) : [];
    const label = readLabel(memory, geometry, dead.id);
    if (canAskLives(memory)) dropLifeline({ memory, geometry, id: dead.id, claim });
    writeLabel(memory, geometry, dead.id, ''); // the next thread's label comes a little after its claim
    const scratch = geometry.scratchOffset + dead.id * geometry.scratchBytes;
    let engine: Engine | undefined;
    runSteps(reapClaimed(dead, own, scratch, findings), () => {
      engine ??= this.#openEngine(dead.id);
      return engine;
    });
    this.#dead.delete(dead.id);
    // N1 no ordering needed: a count for reports.
    Atomics.add(memory.i32, (CONTROL_BASE + HEADER_REAPS_OFFSET) >>> 2, 1);
    const { cachedPages, pages } = findings;
    const text = `port ${dead.id} "${label}" was reaped: ${pages} pages held, ${cachedPages} cached`;
    publish('pagepool:reap', { pool: this.#port.name, ...findings, label, text });
    const inherited = findings.inherited.flatMap((id) => this.#act(new DeadPort(memory, geometry, id, this.#clear)));
    // However the death was heard of, by an exit, a lock, or as what a dead reaper left: a port is reaped once, and
    // nobody else may know what its thread watched.
    for (const inner of threadsMarked(this.#port, watched)) this.reapThread(inner);
    return [findings, ...inherited];
  }

  /** What clears a page that lies in an area. */
  get #clear(): ((page: number) => void) | undefined {
    const { areas } = this.#port;
    return areas?.clear.bind(areas);
  }

  #openEngine(portId: number): Engine {
    return openActing(this.#port, portId, this.#clear);
  }

  /** A port whose thread may live. Undefined: its claim word has changed, read it again. */
  #setAside(portId: number, seen: number, force: boolean): ReapReport | undefined {
    if (!isAttached(seen)) {
      const reaper = reaperOf(seen);
      throw invalidArgument(
        'reap',
        'portId',
        portId,
        `a port that nobody reaps, not one that port ${reaper} reaps`,
        `if that thread is dead, too, reap(${reaper}) does both`,
      );
    }
    if (!force) {
      throw invalidArgument(
        'reap',
        'portId',
        portId,
        'a port whose thread is known to be dead',
        'watch(worker) it, or pass { force: true } to have it set aside until an audit finds it quiet',
      );
    }
    return quarantine(this.#port, portId, seen) ? { ...emptyFindings(portId), isQuarantined: true } : undefined;
  }
}

/**
 * Throws where the reaper could not act, or would not end; counts of the dead port's own nodes are mended (reap.ts).
 */
function requireActable(port: Port, id: number): void {
  const found = findUnsound(port);
  if (found === undefined) return;
  const { channels, ring } = port.geometry;
  const own = [
    ...[PORT_LOADED_OFFSET, PORT_MERGE_OFFSET].map((holder) =>
      nodeOffset(ring, loadWord(port.memory, portOffset(port.geometry, id) + holder)),
    ),
    ...channels.flatMap((channel) =>
      [LANE_INBOX_OFFSET, LANE_OUTBOX_OFFSET].map((holder) =>
        nodeOffset(channel.ring, loadWord(port.memory, laneOffset(channel, id) + holder)),
      ),
    ),
  ];
  const isCount = own.some(
    (node) => found.address === node + NODE_COUNT_OFFSET || found.address === node + NODE_TAKEN_OFFSET,
  );
  if (!isCount) requireSound(port, 'reap');
}
