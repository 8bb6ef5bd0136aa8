// The signal: a recording from a WAV file, or a sweep under mains hum, as 16-bit samples.

import { readFileSync } from 'node:fs';

const RATE = 48_000;
const SWEEP_SECONDS = 60;

/** The samples of the file's data; those of a sweep where none is named. */
export function loadSound(file: string | undefined): Int16Array {
  if (file !== undefined) return parseWav(readFileSync(file));
  return Int16Array.from({ length: RATE * SWEEP_SECONDS }, (_, i) => {
    const t = i / RATE;
    const sweep = Math.sin(2 * Math.PI * (20 + 80 * t) * t);
    return Math.round(20_000 * sweep + 5_000 * Math.sin(2 * Math.PI * 50 * t));
  });
}

/** The 16-bit samples of a RIFF file, its channels interleaved. */
function parseWav(file: Buffer): Int16Array {
  const isWav = file.toString('latin1', 0, 4) === 'RIFF' && file.toString('latin1', 8, 12) === 'WAVE';
  for (let at = 12; isWav && at + 8 <= file.length; ) {
    const bytes = file.readUInt32LE(at + 4);
    const name = file.toString('latin1', at, at + 4);
    if (name === 'fmt ' && file.readUInt16LE(at + 22) !== 16) break;
    if (name === 'data') return new Int16Array(Uint8Array.from(file.subarray(at + 8, at + 8 + (bytes & -2))).buffer);
    at += 8 + bytes + (bytes & 1);
  }
  throw new Error('the file is no WAV file of 16-bit samples');
}
