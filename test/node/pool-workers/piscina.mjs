// A worker of piscina: its share comes as workerData.

import { workerData } from 'piscina';
import { tasks } from './work.mjs';

export default ({ task, token, word }) => tasks[task](workerData, token, word);
