// Who is let in: a browser that a foreign page steers is not, and neither is anybody without the token.
//
// A foreign page can send requests to the loopback. It cannot choose the Host header: a name that was made to point
// here is not a loopback's name. It cannot hide that it is foreign: Origin and Sec-Fetch-Site say so. The token is
// compared as digests of equal length, in constant time.

import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { isLoopback } from './options.js';

/** What a request is told: status 200 is let in. */
export interface Verdict {
  readonly status: 200 | 400 | 401 | 403;
  readonly reason: string;
  /** It brought the token in its address: a browser gets the cookie. */
  readonly isByAddress: boolean;
}

const refused = (status: Verdict['status'], reason: string): Verdict => ({ status, reason, isByAddress: false });

/** Judges requests to one inspector. */
export class Guard {
  readonly #digest: Buffer;
  /** Cookies are shared by all ports of a host: the name tells inspectors apart. */
  #cookieName = '';

  constructor(token: string) {
    this.#digest = digestOf(token);
  }

  /** The port that the server has. */
  set port(port: number) {
    this.#cookieName = `pagepool-inspector-${port}`;
  }

  /** The cookie that lets a browser in from now on: scripts do not see it, and foreign pages do not send it. */
  cookie(token: string): string {
    return `${this.#cookieName}=${token}; HttpOnly; SameSite=Strict; Path=/`;
  }

  judge({ headers }: IncomingMessage, url: URL): Verdict {
    const host = headers.host ?? '';
    if (!isLoopback(nameOf(host))) return refused(403, 'Host is not a name of this machine');
    const { origin } = headers;
    if (origin !== undefined && origin !== `http://${host}`) return refused(403, 'the request is of another origin');
    const site = headers['sec-fetch-site'];
    const isFollowed = headers['sec-fetch-mode'] === 'navigate';
    if (site !== undefined && site !== 'same-origin' && site !== 'none' && !isFollowed) {
      return refused(403, 'the request is of another site');
    }
    const byAddress = url.searchParams.get('token');
    if (byAddress !== null && this.#isToken(byAddress)) return { status: 200, reason: '', isByAddress: true };
    const bearer = /^Bearer (\S+)$/i.exec(headers.authorization ?? '')?.[1];
    const cookie = cookieOf(headers.cookie ?? '', this.#cookieName);
    if ([bearer, cookie].some((token) => token !== undefined && this.#isToken(token))) {
      return { status: 200, reason: '', isByAddress: false };
    }
    return refused(401, 'open the address that serveInspector gave, with its token');
  }

  #isToken(token: string): boolean {
    return timingSafeEqual(digestOf(token), this.#digest);
  }
}

function digestOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

/** The host without its port, and an address of version 6 without its brackets. */
function nameOf(host: string): string {
  const [, inBrackets, plain] = /^(?:\[([^\]]*)\]|([^:]*))(?::\d+)?$/.exec(host) ?? [];
  return (inBrackets ?? plain ?? '').toLowerCase();
}

function cookieOf(cookies: string, name: string): string | undefined {
  for (const cookie of cookies.split(';')) {
    const at = cookie.indexOf('=');
    if (at > 0 && cookie.slice(0, at).trim() === name) return cookie.slice(at + 1).trim();
  }
  return undefined;
}
