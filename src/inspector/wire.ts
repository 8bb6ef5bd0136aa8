// What goes from the inspector's worker to its page, and into a recording: a snapshot as JSON, with its map as bytes.
//
// A map is either whole, or what has changed since the frame before it. Both ends, and the terminal, use this file, so
// it needs neither Node nor a page.

import type { Lint } from '../inspect/lints.js';
import type { PageMap } from '../inspect/page-map.js';
import type { PoolSnapshot } from '../inspect/snapshot.js';
import type { LeakReport } from '../leaks/report.js';
import type { Holder } from '../reports/holders.js';

/** A standstill that a thread reported: its port, and what it waits for, each with how long, ms. */
export interface HeardStall {
  readonly portId: number;
  readonly waits: readonly { readonly what: string; readonly ms: number }[];
}

/** Something that happened to the pool between two frames. */
export interface PoolEvent {
  /** When, by the wall clock, ms. */
  readonly at: number;
  readonly kind: 'attach' | 'leave' | 'reap' | 'set aside' | 'stall' | 'leak' | 'drop' | 'grow' | 'close';
  /** What happened, in a sentence. */
  readonly text: string;
  /** Of a standstill. */
  readonly stall?: HeardStall | undefined;
}

/** A map on its way. */
export interface PackedMap {
  /** Whole: the places of all pages, then their owners. Else six bytes a page that changed: u32 index, place, owner. */
  readonly isWhole: boolean;
  readonly base64: string;
}

/** One look at the pool with all that is shown of it. */
export interface Look extends PoolSnapshot {
  /** By the wall clock, ms. */
  readonly at: number;
  readonly lints: readonly Lint[];
  readonly holders: readonly Holder[];
  /** What the thread that serves the inspector holds, where it tracks that; the newest last, at most 100. */
  readonly leaks: readonly LeakReport[];
  /** What happened since the look before. */
  readonly events: readonly PoolEvent[];
}

/** A look on its way. */
export interface Frame extends Omit<Look, 'map'> {
  readonly map: PackedMap;
}

/** What is saved: the first frame's map is whole. */
export interface Recording {
  readonly kind: 'pagepool recording';
  readonly version: 1;
  readonly frames: readonly Frame[];
}

const CHANGE_BYTES = 6;

/** Packs a map: whole where there is no map before it, or where most of it has changed. */
export function packMap(map: PageMap, before: PageMap | null): PackedMap {
  const { owners, places } = map;
  const changed: number[] = [];
  if (before !== null) {
    for (let i = 0; i < places.length; i++) {
      if (places[i] !== before.places[i] || owners[i] !== before.owners[i]) changed.push(i);
    }
  }
  if (before === null || changed.length * CHANGE_BYTES >= 2 * places.length) {
    const bytes = new Uint8Array(2 * places.length);
    bytes.set(places);
    bytes.set(owners, places.length);
    return { isWhole: true, base64: toBase64(bytes) };
  }
  const bytes = new Uint8Array(changed.length * CHANGE_BYTES);
  const view = new DataView(bytes.buffer);
  for (const [n, i] of changed.entries()) {
    view.setUint32(n * CHANGE_BYTES, i, true);
    bytes[n * CHANGE_BYTES + 4] = places[i] as number;
    bytes[n * CHANGE_BYTES + 5] = owners[i] as number;
  }
  return { isWhole: false, base64: toBase64(bytes) };
}

/** The map that a packed one makes of the map before it. That one is left as it was. */
export function unpackMap({ base64, isWhole }: PackedMap, before: PageMap | null, pageCount: number): PageMap {
  const bytes = fromBase64(base64);
  if (isWhole) return { places: bytes.slice(0, pageCount), owners: bytes.slice(pageCount, 2 * pageCount) };
  const places = before?.places.slice() ?? new Uint8Array(pageCount);
  const owners = before?.owners.slice() ?? new Uint8Array(pageCount);
  const view = new DataView(bytes.buffer);
  for (let at = 0; at + CHANGE_BYTES <= bytes.length; at += CHANGE_BYTES) {
    const i = view.getUint32(at, true);
    places[i] = bytes[at + 4] as number;
    owners[i] = bytes[at + 5] as number;
  }
  return { places, owners };
}

const STEP = 0x2000;

function toBase64(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += STEP) text += String.fromCharCode(...bytes.subarray(at, at + STEP));
  return btoa(text);
}

function fromBase64(base64: string): Uint8Array {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}
