// Tokens: references on their way outside any channel, each good for one adoption.
//
// Any thread; lock-free. A token's word {sequence, port, state} is claimed by compare-exchange before its other words
// are written or read, so of two adopters one wins and the other is refused: the token is spent. What a thread killed
// here leaves is a token in a state that names its port.

import {
  CONTROL_BASE,
  ERR_NO_TOKEN,
  ERR_NOT_HELD,
  ERR_RANGE,
  ERR_REF_OVERFLOW,
  ERR_TOKEN_SPENT,
  HEADER_TOKEN_COUNT_OFFSET,
  HEADER_TOKEN_FREED_OFFSET,
  HEADER_TOKEN_HINT_OFFSET,
  HEADER_TOKENS_OFFSET,
  LEDGER_MAX,
  LOAN_INDEX_BITS,
  OK,
  RECORD_TOKEN,
  TOKEN_FILLING,
  TOKEN_FREE,
  TOKEN_HANDLE_OFFSET,
  TOKEN_LENGTH_OFFSET,
  TOKEN_LENT,
  TOKEN_OFFSET_OFFSET,
  TOKEN_PORT_SHIFT,
  TOKEN_SEQ_SHIFT,
  TOKEN_SHIFT,
  TOKEN_STATE_MASK,
  TOKEN_TAKING,
  TOKEN_TIME_OFFSET,
} from '../../../assembly/layout.js';
import { ChannelSteps } from './channel.js';

/** Lending and adopting. */
export class TokenSteps extends ChannelSteps {
  protected tokenAddress(index: number): number {
    const { i32 } = this;
    return i32[(CONTROL_BASE + HEADER_TOKENS_OFFSET) >>> 2]! + (index << TOKEN_SHIFT); // plain: constant
  }

  protected tokenCount(): number {
    const { i32 } = this;
    return i32[(CONTROL_BASE + HEADER_TOKEN_COUNT_OFFSET) >>> 2]!; // plain: constant
  }

  protected mark(word: number, state: number): number {
    const { portId } = this;
    return ((word >>> TOKEN_SEQ_SHIFT) << TOKEN_SEQ_SHIFT) | ((portId + 1) << TOKEN_PORT_SHIFT) | state;
  }

  /**
   * Moves a reference of this port into a free token; {sequence, index} of the loan, see LOAN_INDEX_BITS, or a code.
   * They take 38 bits together.
   */
  lend(handle: number, offset: number, length: number, timeSeconds: number): number {
    const { i32, touchStack } = this;
    const code = this.inspect(handle);
    if (code !== OK) return code;
    const unit = this.unitOf(handle);
    const page = this.pageOf(unit);
    const row = this.held(page);
    if (row === 0) return ERR_NOT_HELD;
    const extent = this.extentBytes(unit);
    if (offset >>> 0 > extent || length >>> 0 > extent - offset) return ERR_RANGE;
    touchStack();
    const count = this.tokenCount();
    const hint = (CONTROL_BASE + HEADER_TOKEN_HINT_OFFSET) >>> 2;
    // Plain: a hint; any value that was ever stored there is good enough, since all tokens are read.
    let index = i32[hint]!;
    for (let reads = 0; reads < count; reads++, index++) {
      if (index >= count) index = 0;
      const token = this.tokenAddress(index);
      // N1 no ordering needed: the exchange decides.
      const seen = this.rload(token);
      if ((seen & TOKEN_STATE_MASK) !== TOKEN_FREE) continue;
      // X2 pairs with R3 in adopt: the last adopter is done with the token's words.
      if (this.acas(token, seen, this.mark(seen, TOKEN_FILLING)) !== seen) continue;
      // Plain: the token is this thread's until R4.
      i32[(token + TOKEN_HANDLE_OFFSET) >>> 2] = handle;
      i32[(token + TOKEN_OFFSET_OFFSET) >>> 2] = offset;
      i32[(token + TOKEN_LENGTH_OFFSET) >>> 2] = length;
      i32[(token + TOKEN_TIME_OFFSET) >>> 2] = timeSeconds;
      this.recordPrivate(RECORD_TOKEN, page, row, token, seen);
      this.setHeld(page, row - 1);
      // R4 pairs with X5 in claimToken: the token's words are visible to whoever adopts it. LP of lending.
      this.astore(token, this.mark(seen, TOKEN_LENT));
      this.recordDone();
      i32[hint] = index + 1; // plain: a hint
      return (seen >>> TOKEN_SEQ_SHIFT) * 2 ** LOAN_INDEX_BITS + index;
    }
    return ERR_NO_TOKEN;
  }

  /** Claims a lent token; its word before, or 0: it is not lent with that sequence. */
  protected claimToken(token: number, sequence: number): number {
    // N6 no ordering needed: the exchange decides.
    const seen = this.rload(token);
    if ((seen & TOKEN_STATE_MASK) !== TOKEN_LENT || seen >>> TOKEN_SEQ_SHIFT !== sequence) return 0;
    // X5 pairs with R4 in lend: one adopter wins, and sees the token's words. LP of adopting.
    return this.acas(token, seen, this.mark(seen, TOKEN_TAKING)) === seen ? seen : 0;
  }

  /**
   * Takes a lent reference over and writes {handle, offset, length} at `address`. OK, ERR_TOKEN_SPENT or
   * ERR_REF_OVERFLOW.
   */
  adopt(index: number, sequence: number, address: number): number {
    const { i32, touchStack } = this;
    if (index >>> 0 >= this.tokenCount()) return ERR_TOKEN_SPENT;
    touchStack();
    const token = this.tokenAddress(index);
    const seen = this.claimToken(token, sequence);
    if (seen === 0) return ERR_TOKEN_SPENT;
    // Plain: the token is this thread's until R3.
    const handle = i32[(token + TOKEN_HANDLE_OFFSET) >>> 2]!;
    const page = this.pageOf(this.unitOf(handle));
    const row = this.held(page);
    if (row === LEDGER_MAX) {
      // R7 pairs with X5 in claimToken: still lent.
      this.astore(token, seen);
      return ERR_REF_OVERFLOW;
    }
    i32[address >>> 2] = handle;
    i32[(address + 4) >>> 2] = i32[(token + TOKEN_OFFSET_OFFSET) >>> 2]!;
    i32[(address + 8) >>> 2] = i32[(token + TOKEN_LENGTH_OFFSET) >>> 2]!;
    this.recordPrivate(RECORD_TOKEN, page, row, token, seen);
    this.setHeld(page, row + 1);
    // R3 pairs with X2 in lend: done with the token's words; the next loan has the next sequence.
    this.astore(token, ((seen >>> TOKEN_SEQ_SHIFT) + 1) << TOKEN_SEQ_SHIFT);
    this.recordDone();
    // Plain: a hint; a token that it passes over is found after all others.
    const hint = (CONTROL_BASE + HEADER_TOKEN_HINT_OFFSET) >>> 2;
    if (index < i32[hint]!) i32[hint] = index;
    this.wake(CONTROL_BASE + HEADER_TOKEN_FREED_OFFSET);
    return OK;
  }
}
