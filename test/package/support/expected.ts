// What the exchange program reports wherever it runs: test/package/programs/exchange.js.

/** The report of one case; every field is the same in every runtime. */
function report(engine: string, workerEngine: string, workerWaits: string) {
  return {
    engine,
    workerEngine,
    workerWaits,
    mode: 'shared',
    fragments: 300,
    // The sum of the 300 lengths.
    bytes: 610_742,
    spent: 'POOL_ERR_TOKEN_SPENT',
    stale: 'POOL_ERR_STALE_HANDLE',
    rejected: 1,
    isCounted: true,
    exact: true,
    balanced: true,
    isDestroyed: true,
    inflight: 0,
  };
}

export const expectedExchange = [
  report('wasm', 'wasm', 'blocking'),
  report('typescript', 'typescript', 'async'),
  report('wasm', 'typescript', 'blocking'),
];

/** What a realm offers, as the program found it. */
export interface Features {
  readonly waitAsync: boolean;
  readonly locks: boolean;
  readonly dispose: boolean;
}

/** What the program prints or publishes. */
export interface ExchangeResult {
  readonly exchange: typeof expectedExchange;
  readonly features: Features;
  readonly error?: string;
}
