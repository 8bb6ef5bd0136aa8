// How many locked operations a function may hold: what scripts/count-locked.mjs compares the release binary with.
//
// Key: a name that the binary exports, or an internal one as in the .wat without its `$`: `assembly/ring/ringPush`.
// `max`: locked operations in its body, whichever branch they stand in. `descend`: functions (same names) whose operations
// count too, once for each call; every other call is a slow tier and is not followed.

/** @type {Record<string, { max: number, descend?: string[], what?: string }>} */
export const lockedBudget = {};
