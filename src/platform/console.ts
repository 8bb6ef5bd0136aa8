// What is printed on the console where no caller could catch an error.

import { builtinModule } from './thread.js';

/** Warns of something in the pool of that name, where there is a console. */
export function warn(pool: string, text: string): void {
  globalThis.console?.warn(`pagepool ${JSON.stringify(pool)}: ${text}`);
}

/** What is used of `process`. */
interface Host {
  emitWarning?: (text: string, options: { type: string; code: string }) => void;
}

/** Warns by the process, where there is one, and else by the console. */
export function warnOf(code: string, text: string): void {
  const { process } = globalThis as { process?: Host };
  if (process?.emitWarning !== undefined) process.emitWarning(text, { type: 'PagePoolWarning', code });
  else globalThis.console?.warn(`${code}: ${text}`);
}

/** What somebody who listens gets, at least: the pool's name, and what happened as a sentence. */
export interface Told {
  readonly pool: string;
  readonly text: string;
}

interface DiagnosticsChannel {
  readonly hasSubscribers: boolean;
  publish(message: Told): void;
}

/** What prints with NODE_DEBUG=pagepool, and nothing without. */
type Debug = ((format: string, ...values: string[]) => void) & { readonly enabled?: boolean };

const channels = new Map<string, DiagnosticsChannel>();
let debug: Debug | undefined;

function diagnosticsChannel(name: string): DiagnosticsChannel | undefined {
  const known = channels.get(name);
  if (known !== undefined) return known;
  debug ??= (builtinModule('node:util') as { debuglog?(name: string): Debug } | undefined)?.debuglog?.('pagepool');
  const module = builtinModule('node:diagnostics_channel') as { channel(name: string): DiagnosticsChannel } | undefined;
  const made = module?.channel(name);
  if (made !== undefined) channels.set(name, made);
  return made;
}

/** Whether somebody listens: to the diagnostics channel of that name, or with NODE_DEBUG=pagepool. */
export function isHeard(channel: string): boolean {
  return diagnosticsChannel(channel)?.hasSubscribers === true || debug?.enabled === true;
}

/** Publishes on a diagnostics channel, where the platform has them, and prints with NODE_DEBUG=pagepool. */
export function publish<Message extends Told>(channel: string, message: Message): void {
  const target = diagnosticsChannel(channel);
  if (target?.hasSubscribers === true) target.publish(message);
  debug?.('%s: %s: %s', channel, message.pool, message.text);
}
