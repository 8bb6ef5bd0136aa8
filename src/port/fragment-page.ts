// The open fragment page when nobody holds a fragment of it: a free page that no allocation of whole pages can see.
//
// The port's own thread only. The engine keeps the page open, so that cuts need no page each; when the pool has none
// left, or another thread asks for pages, an open page without users goes back to where everybody finds it.

import {
  BIAS,
  DESCRIPTOR_COUNT_OFFSET,
  PORT_FRAGMENT_OFFSET,
  PORT_FRAGMENT_PAGE_OFFSET,
  PORT_LIMIT_OFFSET,
} from '../../assembly/layout.js';
import { loadWord } from '../control/nodes.js';
import { descriptorAt, portOffset } from '../control/places.js';
import type { Port } from './port.js';

/** Returns the port's open fragment page, if nobody holds a fragment of it. Whether there was one. */
export function returnIdleFragmentPage({ engine, geometry, id, memory, waits }: Port): boolean {
  const port = portOffset(geometry, id);
  const page = loadWord(memory, port + PORT_FRAGMENT_PAGE_OFFSET);
  if (page === 0) return false;
  const users = loadWord(memory, port + PORT_FRAGMENT_OFFSET) & 0xffff;
  const count = loadWord(memory, descriptorAt(geometry, page) + DESCRIPTOR_COUNT_OFFSET);
  if (count !== BIAS - users) return false;
  engine.park();
  if (waits === 0) engine.unpark();
  return true;
}

/** Whether another thread has asked this port for its pages. */
export function isPressed({ geometry, id, memory }: Port): boolean {
  return loadWord(memory, portOffset(geometry, id) + PORT_LIMIT_OFFSET) === 0;
}
