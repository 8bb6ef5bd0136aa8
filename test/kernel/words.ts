// What the test and its threads say to each other in shared words.

/** One word each way. */
export const WORD = { toThread: 0, toTest: 1 } as const;

/** A loan in the table: what was lent. `state`: 0 free, 1 to be adopted. */
export interface Loan {
  readonly state: number;
  readonly index: number;
  readonly sequence: number;
  readonly handle: number;
  readonly offset: number;
  readonly length: number;
}

/** The words of a loan. */
export const LOAN: Readonly<Record<keyof Loan, number>> = {
  state: 0,
  index: 1,
  sequence: 2,
  handle: 3,
  offset: 4,
  length: 5,
};
export const LOAN_WORDS = 8;
