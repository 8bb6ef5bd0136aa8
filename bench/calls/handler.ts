// What every server does: reads all of the request, and writes all of the reply.

/** The sum of all bytes, and the reply filled with its last one. */
export function handle(request: Uint8Array, reply: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < request.length; i++) sum += request[i] as number;
  reply.fill(sum & 0xff);
  return reply.length;
}
