// The page of the browser tests: each function on globalThis.tests is one scenario, called by the test that opened the
// page. Its file is loaded with the call: most pages play one scenario.
//
// A scenario returns plain numbers and texts; what they must be stands in the tests.

/** The files, and the scenarios that each has. */
const FILES = {
  border: ['border'],
  deaths: ['deaths'],
  device: ['device'],
  engines: ['engines'],
  formats: ['floats', 'formats', 'orientation', 'pageSizes'],
  frames: ['frames'],
  growth: ['growth'],
  'hand-off': ['handOff'],
  kills: ['kills'],
  'late-areas': ['lateAreas'],
  local: ['local'],
  'main-thread': ['mainThread'],
  media: ['media'],
  'nested-areas': ['nestedAreas'],
  'other-workers': ['otherWorkers'],
  posting: ['posting', 'stalls'],
  'provider-churn': ['providerChurn', 'providerConformance'],
  realm: ['realm'],
  sandbox: ['sandbox'],
  'slab-growth': ['slabGrowth'],
  sources: ['files', 'pictures', 'sockets', 'streams'],
  textures: ['unpacking'],
  tokens: ['tokens'],
  'try-worklet': ['tryWorklet'],
  'user-area': ['userArea'],
  views: ['views'],
  worklet: ['worklet'],
};

globalThis.tests = Object.fromEntries(
  Object.entries(FILES).flatMap(([file, names]) =>
    names.map((name) => [name, async (options) => (await import(`./${file}.js`))[name](options)]),
  ),
);
