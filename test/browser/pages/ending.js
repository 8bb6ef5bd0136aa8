// How a scenario ends: every page and reference counted, the pool closed, and what was found on the way.

import { HUNG_MS } from '../support/waiting.js';

/** Audits and closes the pool. */
export async function endPool(pool, timeoutMs = HUNG_MS) {
  pool.trim();
  const { balanced, exact, errors, pages, references } = pool.audit();
  const { inflight, rejected } = pool.stats();
  const { used, cached, ring, pinned } = pages;
  const closed = await pool.close({ timeoutMs });
  return { balanced, exact, errors, pages: { used, cached, ring, pinned }, references, inflight, rejected, closed };
}

/** The code and the message of what a call throws or rejects with. */
export async function refusalOf(call) {
  try {
    await call();
  } catch ({ code, message }) {
    return { code, message };
  }
  return { code: 'none', message: '' };
}
