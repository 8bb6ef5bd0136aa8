// The two ways to the page: the one that serveInspector serves, and the one that mountInspector puts into an element.
//
// scripts/inline-inspector.mjs bundles this file into one function.

import { App, type Hearing, type Source } from './app.js';

/** A page that hears nothing for so long has lost its server. */
const SILENT_MS = 3000;

/** Starts the page that was served, on looks by server-sent events. */
export function startServed(): void {
  // The token has done its work: a cookie has taken its place, and it should not be seen, or kept with a bookmark.
  if (location.search !== '') history.replaceState(null, '', location.pathname);
  new App(document.getElementById('inspector') as HTMLElement, hearServer, true);
}

/** Starts it in an element of somebody's page; what is returned ends it. */
export function startMounted(root: HTMLElement, source: Source): () => void {
  const app = new App(root, source, false);
  return () => app.end();
}

function hearServer(hearing: Hearing): () => void {
  let heardMs = performance.now();
  const source = new EventSource('/events');
  source.addEventListener('message', ({ data }: MessageEvent<string>) => {
    heardMs = performance.now();
    hearing.frame(data);
  });
  source.addEventListener('open', () => {
    heardMs = performance.now();
    hearing.open();
  });
  const timer = setInterval(() => {
    if (performance.now() - heardMs < SILENT_MS) return;
    const isRefused = source.readyState === EventSource.CLOSED;
    hearing.lose(
      isRefused
        ? 'The server refuses this page: open the address that it printed.'
        : 'The process has ended, or does not answer.',
    );
  }, 500);
  const stop = (): void => {
    clearInterval(timer);
    source.close();
  };
  source.addEventListener('end', () => {
    stop();
    hearing.lose('The inspector was closed.');
  });
  return stop;
}
