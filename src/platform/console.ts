// What is said on the console where nobody called who could be told.

/** Warns of something in the pool of that name, where there is a console. */
export function warn(pool: string, text: string): void {
  globalThis.console?.warn(`pagepool ${JSON.stringify(pool)}: ${text}`);
}
