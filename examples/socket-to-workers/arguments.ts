// The command line of the demo: its options, each checked.

import { accessSync, constants, statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { blockBytes } from './grid.js';

export interface Arguments {
  file: string;
  workers: number;
  record: number;
  rounds: number;
  json?: string;
}

const fileBytesMax = 1024 ** 3;

/** The options given, checked, with the defaults of the others. Exits with code 2 and one line when one is wrong. */
export function parseArguments(argv: string[]): Arguments {
  const program = new Command('demo')
    .description('Sends a file over TCP and hands it to workers in records: pagepool against postMessage.')
    .option('--file <path>', 'the file to send', readableFile, process.execPath)
    .option('--workers <n>', 'threads that hash', integer(1, 32), Math.min(4, Math.max(1, availableParallelism() - 1)))
    .option('--record <bytes>', 'bytes of a record in the first part', integer(64, blockBytes), 2048)
    .option('--rounds <n>', 'how often every variant runs; the medians are shown', integer(1, 100), 5)
    .option('--json <path>', 'also writes what every run measured into this file')
    .allowExcessArguments(false)
    .exitOverride();
  try {
    return program.parse(argv, { from: 'user' }).opts<Arguments>();
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    process.exit(error.exitCode === 0 ? 0 : 2);
  }
}

function integer(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`Expected an integer from ${min} to ${max}.`);
  };
}

function readableFile(path: string): string {
  let bytes = 0;
  try {
    accessSync(path, constants.R_OK);
    const stats = statSync(path);
    if (!stats.isFile()) throw new Error('it is not a regular file');
    bytes = stats.size;
  } catch (error) {
    throw new InvalidArgumentError(`Expected a readable file: ${(error as Error).message}.`);
  }
  if (bytes >= 1 && bytes <= fileBytesMax) return path;
  throw new InvalidArgumentError(`Expected a file of 1 byte to 1 GiB, got ${bytes} bytes.`);
}
