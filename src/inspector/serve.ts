// serveInspector: starts the inspector's thread, and tells it what only this thread knows.
//
// This thread does nothing else for it: it may be busy, or hang, and the page goes on. Nothing here keeps the process,
// unless that was asked for.

import { randomBytes } from 'node:crypto';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { sep } from 'node:path';
import { cwd } from 'node:process';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { brotliDecompressSync, gzipSync } from 'node:zlib';
import { html, page, style } from '#inspector-page';
import { threadCode } from '#inspector-thread';
import { observe } from '../inspect/observer.js';
import { warnOf } from '../platform/console.js';
import { asyncDispose } from '../platform/symbols.js';
import { isPagePool } from '../pool/enrolled.js';
import type { PagePool } from '../pool/page-pool.js';
import type { PoolShare } from '../pool/share.js';
import { besideOf } from './beside.js';
import { type InspectorOptions, resolveInspectorOptions } from './options.js';
import { DIAGNOSTICS, eventOf } from './told.js';
import type { FromInspector, InspectorStart, ToInspector } from './worker.js';

/** Of V8's heap in the inspector's thread; a map of a million pages fits. */
const HEAP_MB = 256;

/** A page that shows a pool while it works; made by {@link serveInspector}. */
export interface Inspector {
  /** The page's address, token included: who has it sees the pool. */
  readonly url: string;
  readonly port: number;
  readonly token: string;
  /**
   * Tells the pages, ends the server and its thread, and lets go of the pool's memory. May be called again. The pool
   * goes on. Resolves when the thread has ended.
   */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Serves a page that shows the pool at work: where each page is, threads, channels, rates, lints, who holds what; with
 * `/metrics` in OpenMetrics text, `/snapshot.json`, and `/events` as server-sent events. Resolves when it is up.
 *
 * A thread of its own observes and serves, so the page goes on while this thread is busy or hangs. It reads the pool
 * while a client looks, and never else. It ends with the process, which it does not keep alive unless `ref` is true.
 * Until `close` it keeps the pool's memory, also when the pool was closed: the page shows how it ended.
 *
 * It listens on the loopback, asks for the token, and refuses requests that foreign pages cause. Whoever has the token
 * sees labels, stacks and counts, and never the bytes of pages; nothing can be changed.
 *
 * @param source the pool, or its share; with the pool the page also has the stacks of what this thread holds (`leaks`)
 *   and what this thread hears: reapings, standstills
 * @throws PagePoolError POOL_ERR_INVALID_ARGUMENT when source or an option is not what it should be;
 *   POOL_ERR_NOT_SHARED when the pool is local; the errors of `observe` for a share. A port that is taken rejects with
 *   the platform's error, `EADDRINUSE`. All of them reject
 * @example
 * const inspector = await serveInspector(pool);
 * console.log(inspector.url); // open it in a browser
 */
export async function serveInspector(source: PoolShare | PagePool, options: InspectorOptions = {}): Promise<Inspector> {
  const { host, port, ref, token: given } = resolveInspectorOptions(options);
  const { name } = observe(source);
  const pool = isPagePool(source) ? (source as PagePool) : undefined;
  const share = pool?.share() ?? (source as PoolShare);
  const token = given === '' ? randomBytes(24).toString('base64url') : given;
  const start: InspectorStart = { share, assets: assetsOfPage(), port, host, token };
  const worker = new Worker(brotliDecompressSync(threadCode).toString(), {
    eval: true,
    name: 'pagepool-inspector',
    workerData: start,
    execArgv: [],
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MB },
  });
  const thread = new InspectorThread(worker, name, pool);
  const bound = await thread.listening;
  if (!ref) worker.unref();
  const at = host.includes(':') ? `[${host}]` : host;
  const close = (): Promise<void> => thread.close();
  return { url: `http://${at}:${bound}/?token=${token}`, port: bound, token, close, [asyncDispose]: close };
}

/** The page's files. Its script is the text of a function that needs nothing but a page's globals. */
function assetsOfPage(): InspectorStart['assets'] {
  // A bundler that keeps names wraps functions in calls of a helper that it defines outside of them: what is missing in
  // the page is defined there, as a function that gives back what it gets.
  const script = `const page=${page};
for(;;)try{page().startServed();break}catch(error){
const name=/^(\\S+) is not defined|: (\\S+)$/.exec(error.message)?.slice(1).find(Boolean);
if(error.name!=='ReferenceError'||!name||name in globalThis)throw error;
globalThis[name]=(it)=>it}`;
  const files = { '/': ['html', html], '/page.css': ['css', style], '/page.js': ['javascript', script] } as const;
  return Object.fromEntries(
    Object.entries(files).map(([path, [kind, text]]) => [
      path,
      { type: `text/${kind}; charset=utf-8`, bytes: gzipSync(text) },
    ]),
  );
}

/** Folders that stacks are shown without: shorter, and a picture of one names nobody's folders. */
function ownFolders(): string[] {
  const here = `${cwd()}${sep}`;
  return [pathToFileURL(here).href, here];
}

/** This thread's end of it. */
class InspectorThread {
  /** The port that it listens on. */
  readonly listening: Promise<number>;
  readonly #worker: Worker;
  readonly #name: string;
  readonly #ended: Promise<void>;
  #isEnding = false;

  constructor(worker: Worker, name: string, pool: PagePool | undefined) {
    this.#worker = worker;
    this.#name = name;
    this.#ended = new Promise((resolve) => {
      worker.once('exit', () => {
        for (const channel of DIAGNOSTICS) unsubscribe(channel, this.#hear);
        resolve();
      });
    });
    this.listening = new Promise((resolve, reject) => {
      worker.on('message', (message: FromInspector) => {
        if (message.kind === 'listening') resolve(message.port);
        else if (message.kind === 'beside?') this.#tellBeside(pool);
        else {
          reject(Object.assign(new Error(message.message), { code: message.code }));
          void this.close();
        }
      });
      worker.once('error', (error) => {
        this.#isEnding = true;
        reject(error);
        // The pool's program goes on without its inspector.
        warnOf('PAGEPOOL_INSPECTOR', `the inspector of pool ${JSON.stringify(name)} has ended: ${error}`);
      });
    });
    if (pool !== undefined) for (const channel of DIAGNOSTICS) subscribe(channel, this.#hear);
  }

  close(): Promise<void> {
    if (!this.#isEnding) {
      this.#isEnding = true;
      this.#worker.ref();
      this.#say({ kind: 'close' });
    }
    return this.#ended;
  }

  /** Something was published in this thread. */
  readonly #hear = (message: unknown, channel: string | symbol): void => {
    const event = eventOf(String(channel), message, this.#name);
    if (event !== null) this.#say({ kind: 'event', event });
  };

  #tellBeside(pool: PagePool | undefined): void {
    if (pool === undefined) return;
    this.#say({ kind: 'beside', json: JSON.stringify(besideOf(pool, ownFolders())) });
  }

  #say(message: ToInspector): void {
    this.#worker.postMessage(message);
  }
}
