// What is handed over, and the work at both ends: the same for every variant.
//
// A message is `bytes` long. *Hand-off only*: the sender stamps the message's number on its first word and the receiver
// checks it. *Filled and read*: the sender writes every word, the receiver adds up every word and compares the sum.

/** One size in one flavour. */
export interface Scenario {
  readonly bytes: number;
  readonly words: number;
  /** Messages on their way at most. */
  readonly window: number;
  /** Messages of a burst, and of an array posted as one. */
  readonly batch: number;
  readonly isFilled: boolean;
}

export const SIZES = [64, 2048, 65_536, 1_048_576];
/** On their way at most: what fits into this, and not more than so many. */
const WINDOW_BYTES = 32 * 1024 * 1024;
const WINDOW_MESSAGES = 256;
const BATCH_MESSAGES = 32;

export function scenarioOf(bytes: number, isFilled: boolean): Scenario {
  const window = Math.min(WINDOW_MESSAGES, WINDOW_BYTES / bytes);
  return { bytes, words: bytes / 4, window, batch: Math.min(BATCH_MESSAGES, window / 4), isFilled };
}

/** The sender's work on message `number`, which lies at word `at` of the memory. */
export function writeMessage(scenario: Scenario, memory: Uint32Array, at: number, number: number): void {
  memory[at] = number;
  if (!scenario.isFilled) return;
  const end = at + scenario.words;
  for (let i = at + 1, value = number + 1; i < end; i++, value++) memory[i] = value;
}

/** The receiver's: throws when the message is not `number`, or not what was written. */
export function checkMessage(scenario: Scenario, memory: Uint32Array, at: number, number: number): void {
  checkHead(memory, at, number);
  if (!scenario.isFilled) return;
  const { words } = scenario;
  let sum = 0;
  for (let i = at, end = at + words; i < end; i++) sum = (sum + (memory[i] as number)) | 0;
  // number + (number + 1) + ... in 32 bits; the halves keep the product exact.
  const expected = (Math.imul(words, number) + Math.imul(words / 2, words - 1)) | 0;
  if (sum !== expected) throw new Error(`sum=${sum} (expected ${expected}) in message ${number}`);
}

/** Of a message that came back: only its number. */
export function checkHead(memory: Uint32Array, at: number, number: number): void {
  if (memory[at] !== number) throw new Error(`first word=${memory[at]} (expected ${number}, the message's number)`);
}
