// The words that the threads of workers.test.ts share with it.

/** Whether they stop, and the references that all of them released. */
export const WORD = { stop: 0, released: 1 };
