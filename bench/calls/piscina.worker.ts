// piscina's worker: the same handler, on arrays that came by postMessage and go back that way.

import { move } from 'piscina';
import { handle } from './handler.js';

export default function answer({ request, isMoved }: { request: Uint8Array<ArrayBuffer>; isMoved: boolean }): unknown {
  handle(request, request);
  return isMoved ? move(request) : request;
}
