// The options of serveInspector, each checked before anything is started.

import { invalidArgument, requireFlag, requireInteger, requireRecord } from '../errors.js';

/** Where an inspector is served, and who gets in. */
export interface InspectorOptions {
  /** The TCP port, 0 to 65,535; 0, the default, takes a free one. */
  port?: number | undefined;
  /** A name or address of this machine's loopback: `127.0.0.1` if not given, `::1`, `localhost`. */
  host?: string | undefined;
  /** What a client has to bring: 16 to 256 of A-Z a-z 0-9 . _ ~ -; made at random if not given. */
  token?: string | undefined;
  /** Whether the server keeps the process alive; false if not given. */
  ref?: boolean | undefined;
}

/** The same, complete; the token is empty where one has to be made. */
export interface ResolvedInspectorOptions {
  readonly port: number;
  readonly host: string;
  readonly token: string;
  readonly ref: boolean;
}

const CALL = 'serveInspector';
const TOKEN = /^[\w.~-]{16,256}$/;

/**
 * The options with their defaults.
 *
 * @throws PagePoolError POOL_ERR_INVALID_ARGUMENT when one is not what it should be
 */
export function resolveInspectorOptions(options: unknown): ResolvedInspectorOptions {
  const given = requireRecord(CALL, 'options', options, ['host', 'port', 'ref', 'token']);
  const { host = '127.0.0.1', port = 0, token = '' } = given;
  requireInteger(CALL, 'port', port, 0, 65_535);
  if (typeof host !== 'string' || !isLoopback(host)) {
    throw invalidArgument(
      CALL,
      'host',
      host,
      'the loopback of this machine: 127.0.0.1, ::1 or localhost',
      'reach it from another machine through a tunnel, such as ssh -L',
    );
  }
  if (typeof token !== 'string' || (token !== '' && !TOKEN.test(token))) {
    // The value may be somebody's secret: it is not shown.
    throw invalidArgument(CALL, 'token', typeof token, '16 to 256 characters of A-Z a-z 0-9 . _ ~ -');
  }
  const { ref } = given;
  return { host, port: port as number, token, ref: requireFlag(CALL, ref === undefined ? {} : { ref }, 'ref') };
}

/** Whether a name, without brackets, means this machine alone. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(?:\.(?:25[0-5]|2[0-4]\d|1?\d?\d)){3}$/.test(host);
}
