// npm run bench:report: makes docs/performance.md anew from results that are there, without measuring.

import { Command } from 'commander';
import { REFERENCE } from '../harness/command.js';
import { writeReport } from './generate.js';

const program = new Command('bench:report')
  .option('--name <name>', 'of the results', REFERENCE)
  .option('--results <folder>', 'where they are', 'bench/results')
  .option('--docs <folder>', 'where performance.md and plots/ go', 'docs')
  .parse();
const { name, results, docs } = program.opts<{ name: string; results: string; docs: string }>();
writeReport({ name, resultsFolder: results, docsFolder: docs });
