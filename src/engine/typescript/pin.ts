// Pins: references of outsiders that the pool does not count as users, one word a page: {LEFT, pins}.
//
// Any thread; lock-free. A page whose last user leaves while it is pinned leaves the pool: LEFT is set, in-flight goes
// down, and the unpin that finds LEFT and nothing else returns it to its provider. Pins survive the death of the
// thread that took them.

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
} from '../../../assembly/layout.js';
import { SupplySteps } from './supply.js';

/** Pinning pages, and letting pinned ones go. */
export class PinSteps extends SupplySteps {
  /**
   * Pins the handle's page; the page's number, good for one `unpin` from any thread, or a code. One locked operation.
   */
  pin(handle: number): number {
    const code = this.inspect(handle);
    if (code !== OK) return code;
    const page = this.pageOf(this.unitOf(handle));
    if (this.held(page) === 0) return ERR_NOT_HELD;
    if ((this.flags & FLAG_DETACHABLE) === 0) return ERR_NOT_DETACHABLE;
    const word = this.descriptorAddress(page) + DESCRIPTOR_PINS_OFFSET;
    while (true) {
      // N1 no ordering needed: the caller's reference keeps the page, and with it LEFT, away.
      const seen = this.rload(word);
      if ((seen & PIN_COUNT_MASK) === PIN_COUNT_MASK) return ERR_REF_OVERFLOW;
      // X2 pairs with X4 in leave: the pin is seen by whoever releases the page last.
      if (this.acas(word, seen, seen + 1) === seen) return page;
    }
  }

  /**
   * Gives a pin back. OK, or ERR_PIN when the page has none. One locked operation, and the retirement when it was the
   * last.
   */
  unpin(page: number): number {
    if ((page - 1) >>> 0 >= this.pageCount) return ERR_PIN; // one comparison for 0 and for more
    const word = this.descriptorAddress(page) + DESCRIPTOR_PINS_OFFSET;
    while (true) {
      // N3 no ordering needed: the exchange below decides.
      const seen = this.rload(word);
      if ((seen & PIN_COUNT_MASK) === 0) return ERR_PIN;
      if (seen === (PIN_LEFT | 1)) {
        const { touchStack } = this;
        touchStack();
        // Plain: the home word of a page that left changes with its last unpin only.
        const home = this.i32[(this.descriptorAddress(page) + DESCRIPTOR_HOME_OFFSET) >>> 2]!;
        this.recordPrivate(RECORD_RETIRE, page, 0, home, 0);
        // X5 pairs with X4 in leave: the page left; its last pin ends the page, and nobody else can find it now. The
        // mark and this port's number stay until the page is taken again: by them a reaper knows that the page had
        // left, and who ends it.
        if (this.acas(word, seen, PIN_LEFT | ((this.portId + 1) << PIN_LAST_SHIFT)) !== seen) {
          this.recordDone();
          continue;
        }
        this.zero(page);
        this.retire(page, false);
        return OK;
      }
      // X6 pairs with X4 in leave: what the pin's holder did is visible to whoever gives the page home.
      if (this.acas(word, seen, seen - 1) === seen) return OK;
    }
  }

  /**
   * Whether the page leaves the pool with its last user, because somebody has it pinned. The caller is its last user;
   * its row goes with the page.
   */
  protected leave(page: number): boolean {
    const { i32, port } = this;
    const descriptor = this.descriptorAddress(page);
    const word = descriptor + DESCRIPTOR_PINS_OFFSET;
    while (true) {
      // A7 pairs with X6 in unpin: an outsider that is done with the page is done before it is recycled.
      const seen = this.aload(word);
      if (seen === 0) return false;
      // N8 no ordering needed: the page is this thread's alone until LEFT is set.
      const home = this.rload(descriptor + DESCRIPTOR_HOME_OFFSET);
      const release = i32[(port + PORT_RELEASE_OFFSET) >>> 2]!;
      this.recordPrivate(RECORD_PINNED, page, 0, home, release);
      // R9 pairs with X4 in leave: the home state is right before an unpin can act on LEFT.
      this.astore(descriptor + DESCRIPTOR_HOME_OFFSET, (home & (HOME_STAMP_MASK | HOME_RESERVE)) | HOME_LEFT);
      // X4 pairs with X5 in unpin: of the last release and the last unpin, one sees the other. LP of leaving.
      if (this.acas(word, seen, seen | PIN_LEFT) === seen) {
        this.setHeld(page, 0);
        i32[(port + PORT_RELEASE_OFFSET) >>> 2] = release + 1; // plain: owner only; one way: the page is its pins' now
        this.recordDone();
        return true;
      }
      // R10 pairs with A1 in typescript/supply.ts claim: the page stays after all; its state as it was.
      this.astore(descriptor + DESCRIPTOR_HOME_OFFSET, home);
      this.recordDone();
    }
  }
}
