// Pins: references of outsiders that the pool does not count as users, one word a page: {LEFT, pins}.
//
// Any thread; lock-free. A page whose last user leaves while it is pinned leaves the pool: LEFT is set, in-flight goes down, and
// the unpin that finds LEFT and nothing else gives it back to its provider. Pins survive the death of the thread that took them.

import {
  DESCRIPTOR_HOME_OFFSET,
  DESCRIPTOR_PINS_OFFSET,
  ERR_NOT_DETACHABLE,
  ERR_NOT_HELD,
  ERR_PIN,
  ERR_REF_OVERFLOW,
  FLAG_DETACHABLE,
  HOME_AREA_MASK,
  HOME_LEFT,
  OK,
  PIN_COUNT_MASK,
  PIN_LEFT,
} from '../../../assembly/layout.js';
import { SupplySteps } from './supply.js';

/** Pinning pages, and letting pinned ones go. */
export class PinSteps extends SupplySteps {
  /** Pins the handle's page; the page's number, good for one `unpin` from any thread, or a code. One locked operation. */
  pin(handle: number): number {
    const code = this.inspect(handle);
    if (code !== OK) return code;
    const page = this.pageOf(this.unitOf(handle));
    if (this.held(page) === 0) return ERR_NOT_HELD;
    if ((this.flags & FLAG_DETACHABLE) === 0) return ERR_NOT_DETACHABLE;
    const word = this.descriptorAddress(page) + DESCRIPTOR_PINS_OFFSET;
    while (true) {
      // N1 no ordering needed: the caller's reference keeps the page, and with it LEFT, away.
      const seen = this.aload(word);
      if ((seen & PIN_COUNT_MASK) === PIN_COUNT_MASK) return ERR_REF_OVERFLOW;
      // X2 pairs with X4 in leave: the pin is seen by whoever releases the page last.
      if (this.acas(word, seen, seen + 1) === seen) return page;
    }
  }

  /** Gives a pin back. OK, or ERR_PIN when the page has none. One locked operation, and the retirement when it was the last. */
  unpin(page: number): number {
    if ((page - 1) >>> 0 >= this.pageCount) return ERR_PIN; // one comparison for 0 and for more
    const word = this.descriptorAddress(page) + DESCRIPTOR_PINS_OFFSET;
    while (true) {
      // N3 no ordering needed: the exchange below decides.
      const seen = this.aload(word);
      if ((seen & PIN_COUNT_MASK) === 0) return ERR_PIN;
      if (seen === (PIN_LEFT | 1)) {
        // X5 pairs with X4 in leave: the page left; its last pin ends the page, and nobody else can find it now.
        if (this.acas(word, seen, 0) !== seen) continue;
        this.zero(page);
        this.retire(page, false);
        return OK;
      }
      // X6 pairs with X4 in leave: what the pin's holder did is visible to whoever gives the page home.
      if (this.acas(word, seen, seen - 1) === seen) return OK;
    }
  }

  /** Whether the page leaves the pool with its last user, because somebody has it pinned. The caller is its last user. */
  protected leave(page: number): boolean {
    const descriptor = this.descriptorAddress(page);
    const word = descriptor + DESCRIPTOR_PINS_OFFSET;
    while (true) {
      // A7 pairs with X6 in unpin: an outsider that is done with the page is done before it is recycled.
      const seen = this.aload(word);
      if (seen === 0) return false;
      // N8 no ordering needed: the page is this thread's alone until LEFT is set.
      const home = this.aload(descriptor + DESCRIPTOR_HOME_OFFSET);
      // R9 pairs with X4 in leave: the home state is right before an unpin can act on LEFT.
      this.astore(descriptor + DESCRIPTOR_HOME_OFFSET, (home & HOME_AREA_MASK) | HOME_LEFT);
      // X4 pairs with X5 in unpin: of the last release and the last unpin, one sees the other. LP of leaving.
      if (this.acas(word, seen, seen | PIN_LEFT) === seen) return true;
      // R10 pairs with A1 in typescript/supply.ts claim: the page stays after all; its state as it was.
      this.astore(descriptor + DESCRIPTOR_HOME_OFFSET, home);
    }
  }
}
