// The consumer's project that setup.ts made: `src/` has the programs, `node_modules/` the package and nothing else.

import { inject } from 'vitest';

const { folder, tarball: packed, error } = inject('consumer');
if (error !== undefined) throw new Error(`there is no consumer's project: ${error}`);

/** The project's folder. */
export const consumer = folder;
/** The packed package. */
export const tarball = packed;
