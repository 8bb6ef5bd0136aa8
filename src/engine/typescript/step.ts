// Where an explorer steps in: called before every step on a shared word, with the word's address.
//
// A constant and undefined, so that compilers drop the calls: nothing is paid for it. Tests put a module of their own
// in the place of this one (a mock, or an alias of the bundler) to count steps, to run another port between two of
// them, or to hold a worker thread at each until it may go on.

/** Called before each shared step. */
export const onStep: ((address: number) => void) | undefined = undefined;
