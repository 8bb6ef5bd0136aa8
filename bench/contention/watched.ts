// What an inspector costs the threads that work: the same crew alone, with an inspector that nobody looks at, and with
// a client that takes every look.
//
// The variants are crews of their own and take their rounds in turn; a client looks only while its crew's round lasts.
// On a machine of two cores the inspector's thread takes its time from the crew's.

import { type Inspector, serveInspector } from 'pagepool/inspector';
import type { Family, Lane, LanePlan } from '../harness/lanes.js';
import type { RowInfo, Settings } from '../harness/results.js';
import { type CrewLane, openCrew } from './lane.js';

const CASE = 'recycle';
const THREADS = 2;
/** Rounds are as many times longer than others', so that a client comes once and then has several looks. */
const LONGER = 12;

type Look = (inspector: Inspector) => () => void;

/** A client like the page: it reads what comes. */
const readEvents: Look = ({ token, url }) => {
  const controller = new AbortController();
  const headers = { Authorization: `Bearer ${token}` };
  const read = async (): Promise<void> => {
    const { body } = await fetch(new URL('/events', url), { headers, signal: controller.signal });
    for await (const _ of body as ReadableStream<Uint8Array>);
  };
  read().catch(() => {});
  return () => controller.abort();
};

const VARIANTS: readonly (readonly [name: string, look: Look | null])[] = [
  ['wasm', null],
  ['wasm, an inspector', () => () => {}],
  ['wasm, a client looks', readEvents],
];

export const watched: Family = VARIANTS.map(([variant, look]): LanePlan => {
  const row: RowInfo = {
    id: 'watched.recycle',
    group: 'watched',
    name: '256 pages taken and given back through the ring: 2 threads',
    per: 'page',
  };
  return { row, variant, open: (settings) => openWatched(look, settings) };
});

async function openWatched(look: Look | null, settings: Settings): Promise<Lane> {
  const crew: CrewLane = await openCrew(CASE, 'wasm', THREADS, settings);
  if (look === null || crew.share === null) return { round: (timeMs) => crew.round(LONGER * timeMs), end: crew.end };
  const inspector = await serveInspector(crew.share);
  return {
    round: async (timeMs) => {
      const stop = look(inspector);
      try {
        return await crew.round(LONGER * timeMs);
      } finally {
        stop();
      }
    },
    end: () => {
      void inspector.close();
      crew.end();
    },
  };
}
