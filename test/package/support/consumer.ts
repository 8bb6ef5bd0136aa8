// The consumer's project that make-consumer.mjs makes: `src/` has the programs, `node_modules/` the package and nothing
// else.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { inject } from 'vitest';
import { appears } from '../../../scripts/installed.mjs';

/** The project's folder. */
export const consumer = inject('consumerFolder');

const made = join(consumer, 'made.json');
await appears(made);
const { tarball: packed, error } = JSON.parse(readFileSync(made, 'utf8')) as { tarball: string; error?: string };
if (error !== undefined) throw new Error(`there is no consumer's project: ${error}`);

/** The packed package. */
export const tarball = packed;
