// What else than a fragment may be the request of a call: packets say so, where a program has them.

import type { Port } from '../port/port.js';
import type { Fragment } from './fragment.js';

/** For packets: the one window of a packet as a fragment, and the packet is empty; undefined where it is no packet. */
export const requestSources: ((value: unknown, call: string, port: Port) => Fragment | undefined)[] = [];
