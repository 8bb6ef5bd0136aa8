// How a scenario ends: every page and reference counted, the pool closed, and what was found on the way.

import { HUNG_MS } from '../support/waiting.js';

/** Audits and closes the pool: the first audit settles what deaths left suspect, the second one finds it at home. */
export async function endPool(pool, timeoutMs = HUNG_MS) {
  const first = pool.audit();
  pool.trim();
  const { balanced, exact, errors, pages, references } = pool.audit();
  const { inflight, rejected } = pool.stats();
  const { used, cached, ring, pinned } = pages;
  const closed = await pool.close({ timeoutMs });
  return {
    balanced: first.balanced && balanced,
    exact: first.exact && exact,
    errors: [...first.errors, ...errors],
    pages: { used, cached, ring, pinned },
    references,
    inflight,
    rejected,
    closed,
  };
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
