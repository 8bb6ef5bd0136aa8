// The public entry pagepool/areas: importing it lets `attach` join pools whose pages a provider has.

import { areasPart } from './supply/areas.js';
import { loadAreas } from './supply/loaded.js';

loadAreas(areasPart);
