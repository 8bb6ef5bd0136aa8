// The tasks of the worker pools' tests: attach once a thread, adopt what comes, release it.

import { PagePool } from 'pagepool';

/** The thread's attachment, made by its first task. */
let pool;

/** Attaches this thread, once. */
export function attach(share) {
  pool ??= PagePool.attach(share);
  return pool;
}

/** The sum of a fragment's bytes; its reference is released. */
export function sum(share, token) {
  const fragment = attach(share).adopt(token);
  const total = fragment.bytes.reduce((one, other) => one + other, 0);
  fragment.release();
  return total;
}

/** Keeps the fragment, as a task does that ends early: what is left is for the reaper. */
export function keep(share, token) {
  attach(share).adopt(token);
  return 'kept';
}

/** Keeps the fragment, says so on a word, and never comes to its end. */
export async function hang(share, token, word) {
  keep(share, token);
  Atomics.store(word, 0, 1);
  await new Promise(() => setInterval(() => {}, 1000));
}

/** The fragment back, with its first byte one more. */
export function raise(share, token) {
  const fragment = attach(share).adopt(token);
  fragment.bytes[0]++;
  return fragment.lend();
}

export const tasks = { sum, keep, hang, raise };
