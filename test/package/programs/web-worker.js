// The web Worker of web-main.js: it loads what a thread needs that only attaches, and the engine of some cases.

import { attach } from 'pagepool/attach';
import 'pagepool/typescript';
import { runWorker } from './web-thread.js';

runWorker({ attach });
