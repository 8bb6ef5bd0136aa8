// The ledger: how many references this port holds on each page, and the operation record beside it.
//
// Both are the port's own, written plainly by its thread alone (I5) until it is reaped. A record holds absolute values
// of the words a step is about to change, its kind is written last and cleared last: a reaper sets, it never adds.
// (Plain stores keep their order here: every one goes to a view of memory that others may read.)

import {
  EXCHANGE_ADDRESS_OFFSET,
  EXCHANGE_HOLDER_OFFSET,
  EXCHANGE_NEW_OFFSET,
  EXCHANGE_SEEN_OFFSET,
  PORT_EXCHANGES_OFFSET,
  PORT_RECORD_ADDRESS_OFFSET,
  PORT_RECORD_KIND_OFFSET,
  PORT_RECORD_PAGE_OFFSET,
  PORT_RECORD_VALUE_OFFSET,
  PORT_TURN_OFFSET,
  RECORD_CUT,
  RECORD_EXCHANGE,
  RECORD_INDEX_SHIFT,
  RECORD_NONE,
  RECORD_ROW_SHIFT,
} from '../../../assembly/layout.js';
import { HandleSteps } from './handle.js';

/** The port's row of the ledger, and its operation record. */
export class LedgerSteps extends HandleSteps {
  /** References this port holds on the page. */
  held(page: number): number {
    const { u16, ledger } = this;
    return u16[(ledger + (page << 1)) >>> 1]!;
  }

  /** Where the row has the page, as an index of u16: for steps that call nothing once they have begun to store. */
  protected rowIndex(page: number): number {
    return (this.ledger + (page << 1)) >>> 1;
  }

  protected setHeld(page: number, references: number): void {
    const { u16, ledger } = this;
    u16[(ledger + (page << 1)) >>> 1] = references;
  }

  /** Opens a record of a step on private words: the row's and the other words' values before it. */
  protected recordPrivate(kind: number, page: number, row: number, address: number, value: number): void {
    const { i32, port } = this;
    i32[(port + PORT_RECORD_PAGE_OFFSET) >>> 2] = page;
    i32[(port + PORT_RECORD_ADDRESS_OFFSET) >>> 2] = address;
    i32[(port + PORT_RECORD_VALUE_OFFSET) >>> 2] = value;
    i32[(port + PORT_RECORD_KIND_OFFSET) >>> 2] = kind | (row << RECORD_ROW_SHIFT);
  }

  /** Opens a record of a cut, or of one taken back, on the own open page. */
  protected recordCut(row: number, cut: number): void {
    const { i32, port } = this;
    i32[(port + PORT_RECORD_VALUE_OFFSET) >>> 2] = cut;
    i32[(port + PORT_RECORD_KIND_OFFSET) >>> 2] = RECORD_CUT | (row << RECORD_ROW_SHIFT);
  }

  /** Names the channel node that the following entry records are about. No record is open. */
  protected recordNode(node: number): void {
    this.i32[(this.port + PORT_RECORD_ADDRESS_OFFSET) >>> 2] = node;
  }

  /**
   * Opens a record of an entry between row and node: one store, so it may take the place of the entry's before, which
   * is over. The last one is closed before anything else is recorded.
   */
  protected recordEntry(kind: number, row: number, index: number): void {
    const record = kind | (index << RECORD_INDEX_SHIFT) | (row << RECORD_ROW_SHIFT);
    this.i32[(this.port + PORT_RECORD_KIND_OFFSET) >>> 2] = record;
  }

  /**
   * Opens a record of a compare-exchange: the word seen, the word to come, and which word of the port takes what was
   * there. Which of both records it is: what PORT_TURN_OFFSET has.
   */
  protected recordExchange(address: number, seen: number, next: number, holder: number): number {
    const { i32, port } = this;
    const turn = i32[(port + PORT_TURN_OFFSET) >>> 2]!;
    const record = port + PORT_EXCHANGES_OFFSET + turn;
    // Others read the first two words. Without the first store they could take an earlier word for one of this address.
    i32[(record + EXCHANGE_ADDRESS_OFFSET) >>> 2] = 0;
    i32[(record + EXCHANGE_SEEN_OFFSET) >>> 2] = seen;
    i32[(record + EXCHANGE_ADDRESS_OFFSET) >>> 2] = address;
    i32[(record + EXCHANGE_NEW_OFFSET) >>> 2] = next;
    i32[(record + EXCHANGE_HOLDER_OFFSET) >>> 2] = holder;
    i32[(port + PORT_RECORD_KIND_OFFSET) >>> 2] = RECORD_EXCHANGE | (turn << RECORD_INDEX_SHIFT);
    return turn;
  }

  /** Closes the record: the step is over. */
  protected recordDone(): void {
    const { i32, port } = this;
    i32[(port + PORT_RECORD_KIND_OFFSET) >>> 2] = RECORD_NONE;
  }
}
