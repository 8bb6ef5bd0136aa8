// mountInspector: the inspector's page in an element of a web page, on a pool of the same page.
//
// The page's code is one function, the same that serveInspector serves. It is put into a shadow tree, so that neither
// the page's style sheets nor this one's reach further than they should.

import { page, style } from '#inspector-page';
import { invalidArgument, is } from '../errors.js';
import { observe } from '../inspect/observer.js';
import { isPagePool } from '../pool/enrolled.js';
import type { PagePool } from '../pool/page-pool.js';
import type { PoolShare } from '../pool/share.js';
import { besideOf } from './beside.js';
import { Watcher } from './watcher.js';

/** What is used of an element: declared here for programs that have no types of the DOM. */
export interface MountTarget {
  readonly nodeType: number;
  append(...nodes: unknown[]): void;
}

/** An inspector in a page; made by {@link mountInspector}. */
export interface MountedInspector {
  /** Takes it out of the element, with every timer and listener. It lets go of the pool. May be called again. */
  unmount(): void;
}

const ELEMENT_NODE = 1;

/**
 * Puts the page that `serveInspector` serves into an element of this web page: where each page is, threads, channels,
 * rates, lints, who holds what. It takes the width of the element, and has a shadow tree of its own.
 *
 * It observes in this thread: four looks a second, each some ten nanoseconds a page, and at most a tenth of the time.
 * The pool may be this thread's own or one of its workers', and may be local. A browser delays it in a tab that is
 * hidden.
 *
 * @param element where it is appended
 * @param source the pool, or its share; with the pool it has the stacks of what this thread holds (`leaks`)
 * @throws PagePoolError POOL_ERR_INVALID_ARGUMENT when `element` is none; the errors of `observe`
 * @example
 * const inspector = mountInspector(document.querySelector('#inspector'), pool);
 * inspector.unmount();
 */
export function mountInspector(element: MountTarget, source: PoolShare | PagePool): MountedInspector {
  const isElement = is(() => element.nodeType === ELEMENT_NODE && typeof element.append === 'function');
  if (!isElement) throw invalidArgument('mountInspector', 'element', element, 'an element of a page');
  const pool = isPagePool(source) ? (source as PagePool) : undefined;
  const watcher = new Watcher(observe(source), observe(source), () => {
    if (pool !== undefined) watcher.setBeside(besideOf(pool));
  });
  const { document } = globalThis;
  const host = document.createElement('div');
  const shadow = host.attachShadow({ mode: 'open' });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(style);
  shadow.adoptedStyleSheets = [sheet];
  const root = document.createElement('div');
  shadow.append(root);
  element.append(host);
  const end = page().startMounted(root, ({ frame }) => watcher.subscribe(frame));
  let isMounted = true;
  return {
    unmount: () => {
      if (!isMounted) return;
      isMounted = false;
      end();
      host.remove();
    },
  };
}
