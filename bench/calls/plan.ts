// What is measured of calls, and with what they are compared.

/** Bytes of a request, and of its reply. */
export const CALL_BYTES = 2048;
export const SERVERS = 2;
export const IN_FLIGHT = 8;

/** Counters that a process's threads share: microseconds of collections. */
export const COLLECTED = 0;

export const CALL_CASE = {
  id: 'call',
  name: `requests of ${CALL_BYTES} B to ${SERVERS} threads, and replies as long, ${IN_FLIGHT} in flight`,
  per: 'call',
  variants: ['wasm, in place', 'wasm, reply taken along', 'piscina, copied', 'piscina, transferred'],
  note: 'Who asks writes every byte of the request, the handler reads them and writes those of the reply, which are read. piscina runs the same handler on arrays that postMessage copies, or transfers.',
} as const;
