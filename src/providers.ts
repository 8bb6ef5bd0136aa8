// The public entry pagepool/providers: importing it lets `create` make pools over other memory than their own. It has
// slabs(), and a program with a provider of its own imports it for that effect alone.

import { loadOwner } from './supply/loaded.js';
import { ownerPart } from './supply/owner-part.js';

export { type SlabOptions, slabs } from './provider/slabs.js';

loadOwner(ownerPart);
