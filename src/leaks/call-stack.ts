// The stack of a call into this package, without the package's own frames.
//
// Own frames are known by the functions themselves, not by file or name: a bundler may put the program into the same
// file and shorten every name.

const FRAMES_MAX = 10;

/**
 * What a program may set to write stacks itself. It is not asked: it would run inside a call, and could call the pool
 * again.
 */
interface Formatter {
  prepareStackTrace?: unknown;
}
/** Calls of the package's other entries that make those of the core: an entry adds its own when it is used. */
export const outerEntrances: CallableFunction[] = [];

/**
 * The frames below the outermost of `entrances` that is under way, at most 10, as the platform writes them. All frames
 * where none of them is, or where the platform does not show it.
 *
 * @param entrances the innermost first: most calls come by that one alone, and each search costs microseconds
 */
export function captureStack(entrances: readonly CallableFunction[]): string {
  const platform = Error as { captureStackTrace?: (holder: object, below: CallableFunction) => void } & Formatter;
  const { captureStackTrace, prepareStackTrace } = platform;
  try {
    if (prepareStackTrace !== undefined) platform.prepareStackTrace = undefined;
    let found = '';
    for (const entrance of captureStackTrace === undefined ? [] : [...entrances, ...outerEntrances]) {
      // A function that is under way has its name among the frames.
      if (found !== '' && !found.includes(entrance.name)) continue;
      const holder = { stack: '' };
      captureStackTrace?.(holder, entrance);
      found = framesOf(holder.stack) || found;
    }
    return found || framesOf(new Error().stack);
  } catch {
    // A realm whose Error is frozen: no call may fail by being tracked.
    return '';
  } finally {
    if (platform.prepareStackTrace !== prepareStackTrace) platform.prepareStackTrace = prepareStackTrace;
  }
}

/**
 * The lines that are frames; V8 puts the error's name before them. Read at once: what is not read yet keeps objects
 * alive.
 */
function framesOf(stack: unknown): string {
  const lines = String(stack).split('\n');
  return lines
    .filter((line) => /^ +at |@/.test(line))
    .slice(0, FRAMES_MAX)
    .join('\n');
}
