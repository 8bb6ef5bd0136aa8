// Listing: what nobody uses can be found, by its bit and by the hint that does not stand behind it.
//
// A death may leave a page on the provider's side without its bit: that of a port between the page's state and the bit,
// and that of the owner. The owner takes bits before it reads pages, and sets them after it has written states. A
// bit too many costs one check, so all of this may be done twice, also by a reaper that follows another one.

import {
  CONTROL_BASE,
  DESCRIPTOR_HOME_OFFSET,
  HEADER_OWNER_OFFSET,
  HEADER_RETIRED_OFFSET,
  HOME_FRESH,
  HOME_RETIRED,
  HOME_STATE_MASK,
  RETIRED_WORD_SHIFT,
} from '../../assembly/layout.js';
import { portOfSeat } from '../control/claims.js';
import { loweredHint } from '../control/places.js';
import type { Steps } from '../control/steps.js';
import type { DeadPort } from './dead-port.js';

/**
 * Makes pages of one state findable, the first one the first: HOME_FRESH where ports search for pages, HOME_RETIRED
 * where the owner does, as assembly/supply.ts list. The hint moves once, however many they are: its stamp comes back
 * after a few thousand moves, and who saw it before must not take it for the same.
 */
export function* list(port: DeadPort, state: number, pages: readonly number[]): Steps<void> {
  const { retiredBitsOffset, supplyBitsOffset, supplyHintOffset } = port.geometry;
  const [bits, hint] =
    state === HOME_FRESH
      ? [supplyBitsOffset, supplyHintOffset]
      : [retiredBitsOffset, CONTROL_BASE + HEADER_RETIRED_OFFSET];
  for (const page of pages) yield* port.setBits(bits + 4 * (page >>> RETIRED_WORD_SHIFT), 1 << (page & 31));
  const index = (pages[0] ?? 0) >>> RETIRED_WORD_SHIFT;
  for (;;) {
    const seen = yield* port.load(hint);
    if ((yield* port.exchange(hint, seen, loweredHint(seen, index))) === seen) return;
  }
}

/**
 * Where the dead thread called the providers: lists the pages that it was about to list, and those whose bits it had
 * taken. What it fed any port may take; what retired stays so until the pool's end, since nobody else takes it.
 */
export function* listForOwner(port: DeadPort): Steps<void> {
  const { ownPages, pageCount } = port.geometry;
  // Plain: the word is written before anybody attaches. A later thread of the owner's port has left nothing to do here.
  if (portOfSeat(port.word(CONTROL_BASE + HEADER_OWNER_OFFSET)) !== port.id) return;
  const byState: number[][] = [[], [], [], [], []];
  for (let page = ownPages + 1; page <= pageCount; page++) {
    const home = yield* port.load(port.descriptor(page) + DESCRIPTOR_HOME_OFFSET);
    (byState[home & HOME_STATE_MASK] as number[]).push(page);
  }
  for (const state of [HOME_FRESH, HOME_RETIRED]) yield* list(port, state, byState[state] as number[]);
}
