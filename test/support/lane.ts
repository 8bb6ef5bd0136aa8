// Which of the cases of a file this run has: `npm test` some, the long run the others.

/** Whether this is the long run: of files *.long.test.ts alone, many of which are those of `npm test` once more. */
export const isLong = process.env.LONG === '1';

/**
 * The cases of this run. Each is made by one of both: `npm test` takes those that show every rule once and cheaply, the
 * long run the rest.
 */
export function casesOfRun<Case>({ short, long }: { short: readonly Case[]; long: readonly Case[] }): readonly Case[] {
  return isLong ? long : short;
}
