// npm run bench:browser: the rows of one thread, of the channel and of the hand-off in headless browsers. Writes a
// table and a JSON file for each, which docs/performance.md shows beside Node's.

import { Option } from 'commander';
import { benchCommand, optionsOf } from '../harness/command.js';
import { resultsPath, writeResults } from '../harness/files.js';
import { describeMachine, headerLines } from '../harness/machine.js';
import type { Results, RowResult } from '../harness/results.js';
import { legend, tablesOf } from '../harness/table.js';
import { writeReport } from '../report/generate.js';
import { type BrowserName, browserKinds, browserNames, launch } from './browsers.js';
import { bundlePage } from './bundle.js';
import type { PageJob, PageMessage } from './page.js';
import { servePage } from './serve.js';

/** A page's clock may stand still for 20 microseconds: a sample is to be far longer. */
const SAMPLE_US = 2000;

/** Runs the job in the browser; its rows, and the browser's name and version. */
async function runIn(
  name: BrowserName,
  folder: string,
  job: PageJob,
): Promise<{ rows: readonly RowResult[]; version: string }> {
  const browser = await launch(name);
  try {
    const page = await browser.newPage();
    const rows = await new Promise<readonly RowResult[]>((resolve, reject) => {
      page.on('pageerror', reject);
      browser.on('disconnected', () => reject(new Error(`${name} ended before the bench did`)));
      const heard = (message: PageMessage) => {
        if (message.type === 'family')
          console.log(`${String(Math.floor(100 * message.share)).padStart(3)} %  ${message.label}`);
        else if (message.type === 'rows') resolve(message.rows);
        else reject(new Error(message.text));
      };
      servePage(folder, (message) => heard(message as PageMessage))
        .then((server) => {
          browser.on('disconnected', () => server.close());
          return page.goto(`${server.origin}/#${encodeURIComponent(JSON.stringify(job))}`);
        })
        .catch(reject);
    });
    return { rows, version: await browser.version() };
  } finally {
    await browser.close();
  }
}

async function main(): Promise<void> {
  const command = benchCommand('bench:browser', 'Measures pagepool in headless browsers.')
    .addOption(new Option('--browser <name>', 'only this one').choices(browserNames))
    .parse();
  const options = optionsOf(command, SAMPLE_US);
  const folder = await bundlePage(process.cwd());
  for (const name of browserNames.filter((item) => item === (command.opts().browser ?? item))) {
    const started = performance.now();
    const { rows, version } = await runIn(name, folder, options);
    if (rows.length === 0) command.error(`--case=${options.text} (expected part of a row's id, group or name)`);
    const results: Results = {
      format: 1,
      date: new Date().toISOString().slice(0, 10),
      seconds: Math.round((performance.now() - started) / 1000),
      machine: {
        ...describeMachine('the native rows run beside Node alone'),
        runtime: `${browserKinds[name].label} ${version.split('/').at(-1)}`,
        flags: browserKinds[name].flags,
      },
      settings: options.settings,
      rows,
    };
    for (const line of headerLines(results)) console.log(line);
    console.log(tablesOf(rows));
    const path = resultsPath(options.resultsFolder, `${options.name}-${name}`);
    writeResults(path, results);
    console.log(`\n${legend}\n${results.seconds} s; ${path}`);
  }
  if (options.isWriting) writeReport(options);
}

await main().catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 1;
});
