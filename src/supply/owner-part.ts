// The owner's side of providers, as programs load it (loaded.ts).

import { slabs } from '../provider/slabs.js';
import { Areas, areasPart, NO_AREAS } from './areas.js';
import type { OwnerPart } from './loaded.js';
import { Supply } from './supply.js';

export const ownerPart: OwnerPart = {
  areas: areasPart,
  openAreas: (seat) => new Areas(seat, NO_AREAS, true),
  openSupply: (port, table, main, reserve) => new Supply(port, table, main, reserve),
  slabs,
};
