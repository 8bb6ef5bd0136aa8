// What an object of Node is, known by what it has and not by its class: classes are those of one realm, and of one copy
// of a package.

import type { Socket as DatagramSocket } from 'node:dgram';
import type { FileHandle } from 'node:fs/promises';
import type { Socket } from 'node:net';

type Shape = Record<string, unknown> | null | undefined;

function hasCalls(value: unknown, ...names: string[]): boolean {
  return typeof value === 'object' && value !== null && names.every((name) => isCall((value as Shape)?.[name]));
}

function isCall(value: unknown): boolean {
  return typeof value === 'function';
}

/** A socket of node:dgram. */
export function isDatagramSocket(value: unknown): value is DatagramSocket {
  return hasCalls(value, 'on', 'send', 'bind', 'address', 'setBroadcast');
}

/** A socket of node:net, or of node:tls. */
export function isSocket(value: unknown): value is Socket {
  return hasCalls(value, 'on', 'write', 'connect', 'setNoDelay', 'setKeepAlive');
}

/** A file handle of node:fs/promises. */
export function isFileHandle(value: unknown): value is FileHandle {
  return hasCalls(value, 'writev') && !hasCalls(value, 'cork');
}

/** A URL. */
export function isUrl(value: unknown): value is URL {
  return typeof (value as URL | null)?.href === 'string' && typeof (value as URL).protocol === 'string';
}

/** An HTTP message that goes out: the response of a server, HTTP/1 or 2, or the request of a client. */
export function isMessage(value: unknown): boolean {
  return hasCalls(value, 'on', 'write', 'end', 'setHeader', 'getHeader');
}

/** A stream of an HTTP/2 session. */
export function isHttp2Stream(value: object): boolean {
  return 'rstCode' in value && 'session' in value;
}

/** Whether a class of that name is among those that made the object: Node has no other sign of some of its own. */
export function isMadeBy(value: object, name: string): boolean {
  for (let made = Object.getPrototypeOf(value); made !== null; made = Object.getPrototypeOf(made)) {
    if (made.constructor?.name === name) return true;
  }
  return false;
}
