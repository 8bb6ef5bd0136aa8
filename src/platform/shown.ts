// What the platform makes of this package's objects where it copies or prints them.
//
// A copy of such an object would have its numbers and not its reference or its memory, and nobody would notice. So
// each carries a property that cannot be copied: whoever clones the object reads it, and gets an error that names what
// to post instead. JSON and the printers of test runners leave it out.

/** What `console.log` calls, in Node and where others do the same. */
export const inspectCustom: unique symbol = Symbol.for('nodejs.util.inspect.custom') as never;

/** What Node passes to a custom inspection. */
export type Inspect = (value: unknown, options?: object) => string;

/** The value of a property that no structured clone passes. */
export type Unclonable = Readonly<Record<'error', never>>;

/** A value that makes `postMessage` throw: `what` was posted, `rule` was expected. */
export function unclonable(what: string, rule: string, todo: string): Unclonable {
  const message = `postMessage failed: value=${what} (expected ${rule}); ${todo}`;
  const hidden = { value: () => undefined };
  return Object.freeze(
    Object.defineProperties({} as Unclonable, {
      error: {
        enumerable: true,
        get: () => {
          throw dataCloneError(message);
        },
      },
      toJSON: hidden,
      [inspectCustom]: hidden,
    }),
  );
}

function dataCloneError(message: string): Error {
  const name = 'DataCloneError';
  return typeof DOMException === 'function'
    ? new DOMException(message, name)
    : Object.assign(new Error(message), { name });
}

/** `Name { field: value }`, as the platform writes it; the name alone where that is nested too deep. */
export function shown(
  name: string,
  fields: object,
  depth: number | null,
  options: object,
  inspect: Inspect | undefined,
): string {
  if (inspect === undefined || (typeof depth === 'number' && depth < 0)) return `[${name}]`;
  return `${name} ${inspect(fields, { ...options, depth })}`;
}
