// Listing: what nobody uses can be found, by its bit and by the hint that does not stand behind it.
//
// A death may leave a page on the provider's side without its bit: that of a port between the page's state and the bit, and that of the
// owner, which takes bits before it looks at pages and sets them after it has. A bit too many costs whoever looks there one look, so all of
// this may be done twice, also by a reaper that follows one that died.

import {
  CONTROL_BASE,
  DESCRIPTOR_HOME_OFFSET,
  HEADER_OWNER_OFFSET,
  HEADER_RETIRED_OFFSET,
  HOME_FRESH,
  HOME_RETIRED,
  HOME_STATE_MASK,
  PORT_CLAIM_OFFSET,
  RETIRED_WORD_SHIFT,
} from '../../assembly/layout.js';
import { seatWord } from '../control/claims.js';
import { loweredHint } from '../control/places.js';
import type { Steps } from '../control/steps.js';
import type { DeadPort } from './dead-port.js';

/** Makes retired pages findable, as assembly/supply.ts list; the first is that of the lowest number. */
export function* listRetired(port: DeadPort, pages: readonly number[]): Steps<void> {
  yield* setListed(port, pages, port.geometry.retiredBitsOffset, CONTROL_BASE + HEADER_RETIRED_OFFSET);
}

/** The same for pages that ports may take. */
export function* listSupply(port: DeadPort, pages: readonly number[]): Steps<void> {
  yield* setListed(port, pages, port.geometry.supplyBitsOffset, port.geometry.supplyHintOffset);
}

/** The hint moves once, however many pages there are: its stamp comes back after so many moves. */
function* setListed(port: DeadPort, pages: readonly number[], bits: number, hint: number): Steps<void> {
  for (const page of pages) yield* port.setBits(bits + 4 * (page >>> RETIRED_WORD_SHIFT), 1 << (page & 31));
  const index = (pages[0] as number) >>> RETIRED_WORD_SHIFT;
  for (;;) {
    const seen = yield* port.load(hint);
    if ((yield* port.exchange(hint, seen, loweredHint(seen, index))) === seen) return;
  }
}

/**
 * Where the dead thread called the providers: lists the pages that it was about to list, and those whose bits it had taken. What it fed
 * any port may take; what retired stays so until the pool's end, since nobody else takes it.
 */
export function* listForOwner(port: DeadPort): Steps<void> {
  const { ownPages, pageCount } = port.geometry;
  // Plain: the owner's word is written before anybody attaches, and the claim is this reaper's.
  const owner = port.word(CONTROL_BASE + HEADER_OWNER_OFFSET);
  if (owner !== seatWord({ claim: port.get(PORT_CLAIM_OFFSET), id: port.id }) >>> 0) return;
  const fed: number[] = [];
  const retired: number[] = [];
  for (let page = ownPages + 1; page <= pageCount; page++) {
    const state = (yield* port.load(port.descriptor(page) + DESCRIPTOR_HOME_OFFSET)) & HOME_STATE_MASK;
    if (state === HOME_FRESH) fed.push(page);
    else if (state === HOME_RETIRED) retired.push(page);
  }
  if (fed.length > 0) yield* listSupply(port, fed);
  // Beside own pages the retired ones of a reserve are found by their state, and the bits are those by which ports look.
  if (retired.length > 0 && ownPages === 0) yield* listRetired(port, retired);
}
