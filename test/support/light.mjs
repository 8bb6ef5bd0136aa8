// What threads of the tests import in the place of the whole package where they only attach: pagepool/attach, under the
// name that their programs use.

import { attach } from '../../build/attach.js';
import '../../build/typescript.js';

export * from '../../build/attach.js';
export const PagePool = { attach };
