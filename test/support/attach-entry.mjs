// What threads of the tests import in the place of the whole package where they only attach: pagepool/attach, under the
// name that their programs use.

import { attach } from '../../build/attach.js';
import '../../build/areas.js';
import '../../build/calls.js';
import '../../build/typescript.js';

export * from '../../build/attach.js';

export const PagePool = {
  /** A pool that was created with the TypeScript engine brings no core: such a thread cannot have the other one. */
  attach: (share, options) => attach(share.module === undefined ? { ...share, engine: 'typescript' } : share, options),
};
