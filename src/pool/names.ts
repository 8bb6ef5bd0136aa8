// The names of a pool's channels and calls: for the compiler alone.

/** The names that a pool was declared with: for the compiler, which refuses others. */
export interface PoolNames {
  readonly channels?: string | undefined;
  readonly calls?: string | undefined;
}
