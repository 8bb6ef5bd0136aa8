// Pages from a provider of one's own.

import { region } from './region.js';
import { run } from './run.js';

await run(region());
