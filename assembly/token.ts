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
  LOAN_INDEX_BITS,
  LEDGER_MAX,
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
} from './layout';
import { acas, astore, rload } from './atomic';
import { extentBytes } from './channel';
import { portId } from './context';
import { wake } from './event';
import { inspect, pageOf, unitOf } from './handle';
import { held, recordDone, recordPrivate, setHeld } from './ledger';
import { touchStack } from './stack';

// @ts-ignore: decorator
@inline
function tokenAddress(index: u32): usize {
  // Plain: constant.
  return <usize>load<u32>(CONTROL_BASE + HEADER_TOKENS_OFFSET) + ((<usize>index) << TOKEN_SHIFT);
}

// @ts-ignore: decorator
@inline
function tokenCount(): u32 {
  return load<u32>(CONTROL_BASE + HEADER_TOKEN_COUNT_OFFSET); // plain: constant
}

// @ts-ignore: decorator
@inline
function mark(word: u32, state: u32): u32 {
  return ((word >>> TOKEN_SEQ_SHIFT) << TOKEN_SEQ_SHIFT) | ((portId + 1) << TOKEN_PORT_SHIFT) | state;
}

/**
 * Moves a reference of this port into a free token; {sequence, index} of the loan, see LOAN_INDEX_BITS, or a code. They
 * take 38 bits together: more than an integer that JavaScript is given without a BigInt.
 */
export function lend(handle: u32, offset: u32, length: u32, timeSeconds: u32): f64 {
  const code = inspect(handle);
  if (code != OK) return <f64>code;
  const page = pageOf(unitOf(handle));
  const row = held(page);
  if (row == 0) return <f64>ERR_NOT_HELD;
  const extent = extentBytes(unitOf(handle));
  if (offset > extent || length > extent - offset) return <f64>ERR_RANGE;
  touchStack();
  const count = tokenCount();
  // Plain: a hint; any value that was ever stored there is good enough, since all tokens are read.
  let index = load<u32>(CONTROL_BASE + HEADER_TOKEN_HINT_OFFSET);
  for (let reads: u32 = 0; reads < count; reads++, index++) {
    if (index >= count) index = 0;
    const token = tokenAddress(index);
    // N1 no ordering needed: the exchange decides.
    const seen = rload(token);
    if ((seen & TOKEN_STATE_MASK) != TOKEN_FREE) continue;
    // X2 pairs with R3 in adopt: the last adopter is done with the token's words.
    if (acas(token, seen, mark(seen, TOKEN_FILLING)) != seen) continue;
    // Plain: the token is this thread's until R4.
    store<u32>(token + TOKEN_HANDLE_OFFSET, handle);
    store<u32>(token + TOKEN_OFFSET_OFFSET, offset);
    store<u32>(token + TOKEN_LENGTH_OFFSET, length);
    store<u32>(token + TOKEN_TIME_OFFSET, timeSeconds);
    recordPrivate(RECORD_TOKEN, page, row, token, seen);
    setHeld(page, row - 1);
    // R4 pairs with X5 in claimToken: the token's words are visible to whoever adopts it. LP of lending.
    astore(token, mark(seen, TOKEN_LENT));
    recordDone();
    store<u32>(CONTROL_BASE + HEADER_TOKEN_HINT_OFFSET, index + 1); // plain: a hint
    return <f64>(((<u64>(seen >>> TOKEN_SEQ_SHIFT)) << LOAN_INDEX_BITS) | <u64>index);
  }
  return <f64>ERR_NO_TOKEN;
}

/** Claims a lent token; its word before, or 0: it is not lent with that sequence. */
// @ts-ignore: decorator
@inline
function claimToken(token: usize, sequence: u32): u32 {
  // N6 no ordering needed: the exchange decides.
  const seen = rload(token);
  if ((seen & TOKEN_STATE_MASK) != TOKEN_LENT || seen >>> TOKEN_SEQ_SHIFT != sequence) return 0;
  // X5 pairs with R4 in lend: one adopter wins, and sees the token's words. LP of adopting.
  return acas(token, seen, mark(seen, TOKEN_TAKING)) == seen ? seen : 0;
}

/**
 * Takes a lent reference over and writes {handle, offset, length} at `address`. OK, ERR_TOKEN_SPENT or
 * ERR_REF_OVERFLOW.
 */
export function adopt(index: u32, sequence: u32, address: usize): i32 {
  if (index >= tokenCount()) return ERR_TOKEN_SPENT;
  touchStack();
  const token = tokenAddress(index);
  const seen = claimToken(token, sequence);
  if (seen == 0) return ERR_TOKEN_SPENT;
  // Plain: the token is this thread's until R3.
  const handle = load<u32>(token + TOKEN_HANDLE_OFFSET);
  const page = pageOf(unitOf(handle));
  const row = held(page);
  if (row == LEDGER_MAX) {
    // R7 pairs with X5 in claimToken: still lent.
    astore(token, seen);
    return ERR_REF_OVERFLOW;
  }
  store<u32>(address, handle);
  store<u32>(address + 4, load<u32>(token + TOKEN_OFFSET_OFFSET));
  store<u32>(address + 8, load<u32>(token + TOKEN_LENGTH_OFFSET));
  recordPrivate(RECORD_TOKEN, page, row, token, seen);
  setHeld(page, row + 1);
  // R3 pairs with X2 in lend: done with the token's words; the next loan has the next sequence.
  astore(token, ((seen >>> TOKEN_SEQ_SHIFT) + 1) << TOKEN_SEQ_SHIFT);
  recordDone();
  // Plain: a hint; a token that it passes over is found after all others.
  if (index < load<u32>(CONTROL_BASE + HEADER_TOKEN_HINT_OFFSET)) {
    store<u32>(CONTROL_BASE + HEADER_TOKEN_HINT_OFFSET, index);
  }
  wake(CONTROL_BASE + HEADER_TOKEN_FREED_OFFSET);
  return OK;
}
