// What the bench uses of typedarray-pool, which brings no types.

declare module 'typedarray-pool' {
  const pool: {
    mallocUint8(length: number): Uint8Array;
    freeUint8(array: Uint8Array): void;
  };
  export default pool;
}
