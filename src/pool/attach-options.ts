// The options of attaching that every thread has, and their checks. Pure.

import { invalidArgument, requireRecord } from '../errors.js';

/** How a thread attaches. */
export interface AttachedPoolOptions {
  /** What the thread calls itself, for statistics and reports. */
  label?: string | undefined;
}

/** @param more names of options that the caller checks */
export function resolveAttached(
  call: string,
  options: unknown,
  more: readonly string[] = [],
): { readonly label: string; readonly given: Readonly<Record<string, unknown>> } {
  const given = requireRecord(call, 'options', options ?? {}, ['label', ...more]);
  const { label = '' } = given;
  if (typeof label !== 'string') throw invalidArgument(call, 'label', label, 'a string');
  return { label, given };
}
