// The page of the browser tests: each function on globalThis.tests is one scenario, called by the test that opened the
// page.
//
// A scenario returns plain numbers and texts; what they must be stands in the tests.

import { border } from './border.js';
import { deaths } from './deaths.js';
import { device } from './device.js';
import { engines } from './engines.js';
import { floats, formats, orientation, pageSizes } from './formats.js';
import { frames } from './frames.js';
import { growth } from './growth.js';
import { handOff } from './hand-off.js';
import { kills } from './kills.js';
import { lateAreas } from './late-areas.js';
import { local } from './local.js';
import { mainThread } from './main-thread.js';
import { media } from './media.js';
import { nestedAreas } from './nested-areas.js';
import { otherWorkers } from './other-workers.js';
import { posting, stalls } from './posting.js';
import { providerChurn, providerConformance } from './provider-churn.js';
import { realm } from './realm.js';
import { sandbox } from './sandbox.js';
import { slabGrowth } from './slab-growth.js';
import { files, pictures, sockets, streams } from './sources.js';
import { unpacking } from './textures.js';
import { tokens } from './tokens.js';
import { tryWorklet } from './try-worklet.js';
import { userArea } from './user-area.js';
import { views } from './views.js';
import { worklet } from './worklet.js';

globalThis.tests = {
  border,
  deaths,
  device,
  engines,
  files,
  floats,
  formats,
  frames,
  growth,
  handOff,
  kills,
  lateAreas,
  local,
  mainThread,
  media,
  nestedAreas,
  orientation,
  otherWorkers,
  pageSizes,
  pictures,
  posting,
  providerChurn,
  providerConformance,
  realm,
  sandbox,
  slabGrowth,
  sockets,
  stalls,
  streams,
  tokens,
  tryWorklet,
  unpacking,
  userArea,
  views,
  worklet,
};
