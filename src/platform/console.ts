// What is printed on the console where no caller could catch an error.

/** Warns of something in the pool of that name, where there is a console. */
export function warn(pool: string, text: string): void {
  globalThis.console?.warn(`pagepool ${JSON.stringify(pool)}: ${text}`);
}

/** What is used of `process`. */
interface Host {
  emitWarning?: (text: string, options: { type: string; code: string }) => void;
  getBuiltinModule?: (name: string) => unknown;
}

function host(): Host | undefined {
  return (globalThis as { process?: Host }).process;
}

/** Warns by the process, where there is one, and else by the console. */
export function warnOf(code: string, text: string): void {
  const process = host();
  if (process?.emitWarning !== undefined) process.emitWarning(text, { type: 'PagePoolWarning', code });
  else globalThis.console?.warn(`${code}: ${text}`);
}

/** Publishes on a diagnostics channel, where the platform has them and somebody has subscribed. */
export function publish(channel: string, message: object): void {
  const module = host()?.getBuiltinModule?.('node:diagnostics_channel') as
    | { channel(name: string): { readonly hasSubscribers: boolean; publish(message: object): void } }
    | undefined;
  const target = module?.channel(channel);
  if (target?.hasSubscribers === true) target.publish(message);
}
