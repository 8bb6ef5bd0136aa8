// Pins: references of outsiders that the pool does not count as users, one word a page: {LEFT, pins}.
//
// Any thread; lock-free. A page whose last user leaves while it is pinned leaves the pool: LEFT is set, in-flight goes
// down, and the unpin that finds LEFT and nothing else returns it to its provider. This is the case that broke the
// first bias scheme of the kernel, in 2021; pins survive the death of the thread that took them.

import {
  DESCRIPTOR_HOME_OFFSET,
  DESCRIPTOR_PINS_OFFSET,
  ERR_NOT_DETACHABLE,
  ERR_NOT_HELD,
  ERR_PIN,
  ERR_REF_OVERFLOW,
  FLAG_DETACHABLE,
  HOME_LEFT,
  HOME_RESERVE,
  HOME_STAMP_MASK,
  OK,
  PIN_COUNT_MASK,
  PIN_LAST_SHIFT,
  PIN_LEFT,
  PORT_RELEASE_OFFSET,
  RECORD_PINNED,
  RECORD_RETIRE,
} from './layout';
import { acas, aload, astore, rload } from './atomic';
import { flags, pageCount, port, portId } from './context';
import { descriptorAddress, inspect, pageOf, unitOf } from './handle';
import { held, recordDone, recordPrivate, setHeld } from './ledger';
import { touchStack } from './stack';
import { retire, spoil, zero } from './supply';

/** Pins the handle's page; the page's number, good for one `unpin` from any thread, or a code. One locked operation. */
export function pin(handle: u32): i32 {
  const code = inspect(handle);
  if (code != OK) return code;
  const page = pageOf(unitOf(handle));
  if (held(page) == 0) return ERR_NOT_HELD;
  if ((flags & FLAG_DETACHABLE) == 0) return ERR_NOT_DETACHABLE;
  const word = descriptorAddress(page) + DESCRIPTOR_PINS_OFFSET;
  while (true) {
    // N1 no ordering needed: the caller's reference keeps the page, and with it LEFT, away.
    const seen = rload(word);
    if ((seen & PIN_COUNT_MASK) == PIN_COUNT_MASK) return ERR_REF_OVERFLOW;
    // X2 pairs with X4 in leave: the pin is seen by whoever releases the page last.
    if (acas(word, seen, seen + 1) == seen) return <i32>page;
  }
}

/**
 * Gives a pin back. OK, or ERR_PIN when the page has none. One locked operation, and the retirement when it was the
 * last.
 */
export function unpin(page: u32): i32 {
  if (page - 1 >= pageCount) return ERR_PIN; // one comparison for 0 and for more
  const word = descriptorAddress(page) + DESCRIPTOR_PINS_OFFSET;
  while (true) {
    // N3 no ordering needed: the exchange below decides.
    const seen = rload(word);
    if ((seen & PIN_COUNT_MASK) == 0) return ERR_PIN;
    if (seen == (PIN_LEFT | 1)) {
      touchStack();
      // Plain: the home word of a page that left changes with its last unpin only.
      recordPrivate(RECORD_RETIRE, page, 0, load<u32>(word - DESCRIPTOR_PINS_OFFSET + DESCRIPTOR_HOME_OFFSET), 0);
      // X5 pairs with X4 in leave: the page left; its last pin ends the page, and nobody else can find it now. The mark
      // and this port's number stay until the page is taken again: by them a reaper knows that the page had left, and
      // who ends it.
      if (acas(word, seen, PIN_LEFT | ((portId + 1) << PIN_LAST_SHIFT)) != seen) {
        recordDone();
        continue;
      }
      zero(page);
      spoil(page);
      retire(page, false);
      return OK;
    }
    // X6 pairs with X4 in leave: what the pin's holder did is visible to whoever gives the page home.
    if (acas(word, seen, seen - 1) == seen) return OK;
  }
}

/**
 * Whether the page leaves the pool with its last user, because somebody has it pinned. The caller is its last user; its
 * row goes with the page.
 */
export function leave(page: u32): bool {
  const descriptor = descriptorAddress(page);
  const word = descriptor + DESCRIPTOR_PINS_OFFSET;
  while (true) {
    // A7 pairs with X6 in unpin: an outsider that is done with the page is done before it is recycled.
    const seen = aload(word);
    if (seen == 0) return false;
    // N8 no ordering needed: the page is this thread's alone until LEFT is set.
    const home = rload(descriptor + DESCRIPTOR_HOME_OFFSET);
    const release = load<u32>(port + PORT_RELEASE_OFFSET);
    recordPrivate(RECORD_PINNED, page, 0, home, release);
    // R9 pairs with X4 in leave: the home state is right before an unpin can act on LEFT.
    astore(descriptor + DESCRIPTOR_HOME_OFFSET, (home & (HOME_STAMP_MASK | HOME_RESERVE)) | HOME_LEFT);
    // X4 pairs with X5 in unpin: of the last release and the last unpin, one sees the other. LP of leaving.
    if (acas(word, seen, seen | PIN_LEFT) == seen) {
      setHeld(page, 0);
      store<u32>(port + PORT_RELEASE_OFFSET, release + 1); // plain: owner only; one way: the page is its pins' now
      recordDone();
      return true;
    }
    // R10 pairs with A1 in supply.ts claim: the page stays after all; its state as it was.
    astore(descriptor + DESCRIPTOR_HOME_OFFSET, home);
    recordDone();
  }
}
