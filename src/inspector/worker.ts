// The inspector's own thread: observes the pool, and serves what it sees.
//
// Started by serve.ts, from one file that scripts/inline-inspector.mjs bundles. It attaches to nothing: the pool does
// not know of it. What only the pool's thread knows comes by messages, and may never come.

import { parentPort, workerData } from 'node:worker_threads';
import { observe } from '../inspect/observer.js';
import type { PoolShare } from '../pool/share.js';
import { openMetrics } from './open-metrics.js';
import { type Asset, InspectorServer } from './server.js';
import { Watcher } from './watcher.js';
import type { PoolEvent } from './wire.js';

/** What the thread is started with. */
export interface InspectorStart {
  readonly share: PoolShare;
  readonly assets: Readonly<Record<string, Asset>>;
  readonly port: number;
  readonly host: string;
  readonly token: string;
}

/** What the pool's thread says. */
export type ToInspector =
  /** A `Beside`, as text: what a provider reports need not be cloneable. */
  | { readonly kind: 'beside'; readonly json: string }
  | { readonly kind: 'event'; readonly event: PoolEvent }
  | { readonly kind: 'close' };

/** What the inspector's thread says. */
export type FromInspector =
  | { readonly kind: 'listening'; readonly port: number }
  | { readonly kind: 'failed'; readonly message: string; readonly code: string }
  | { readonly kind: 'beside?' };

const start = workerData as InspectorStart;
const say = (message: FromInspector): void => parentPort?.postMessage(message);

const watcher = new Watcher(observe(start.share), observe(start.share), () => say({ kind: 'beside?' }));
const { assets, token } = start;
const server = new InspectorServer({
  assets,
  token,
  watcher,
  metrics: (clients) => openMetrics(watcher.look(), clients),
});

parentPort?.on('message', async (message: ToInspector) => {
  if (message.kind === 'beside') watcher.setBeside(JSON.parse(message.json));
  else if (message.kind === 'event') watcher.happened(message.event);
  else {
    await server.close();
    // A client that was waiting for a look, or a timer, would keep this thread.
    process.exit();
  }
});

server.listen(start.port, start.host).then(
  (port) => say({ kind: 'listening', port }),
  ({ code, message }: NodeJS.ErrnoException) => say({ kind: 'failed', message, code: code ?? '' }),
);
