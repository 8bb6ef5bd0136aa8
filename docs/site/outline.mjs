// The manual in its reading order: groups of pages, by their names in docs/ without `.md`. A page of its own name below
// a `#` is a part of a page. scripts/docs-site.mjs makes the sidebar of it, and refuses a document that is not here.

export const outline = [
  { group: 'Start', pages: ['start', 'commonjs', 'testing'] },
  { group: 'Choose', pages: ['choosing', 'guarantees', 'compatibility', 'performance'] },
  {
    group: 'Recipes',
    pages: [
      'calls',
      'uploads',
      'logs',
      { title: 'Frames', link: 'web#frames-sound-and-chunks' },
      { title: 'Audio worklets', link: 'web#audio-worklets' },
      'batches',
      'device-memory',
      'worker-pools',
    ],
  },
  {
    group: 'Guides',
    pages: ['node', 'packets', 'browser', 'web', 'border', 'providers', 'user-areas', 'inspect', 'leaks'],
  },
  { group: 'Reference', pages: ['api', 'errors', 'glossary'] },
  { group: 'How it works', pages: ['architecture', 'lifecycle-and-recovery', 'memory-layout', 'page-pool-mapping'] },
  { group: 'Proofs', pages: ['verification', 'performance-tables'] },
];
