// A worker of workerpool: its share comes as workerData of worker_threads.

import { workerData } from 'node:worker_threads';
import workerpool from 'workerpool';
import { tasks } from './work.mjs';

workerpool.worker({ run: ({ task, token, word }) => tasks[task](workerData, token, word) });
