// A worker of tinypool: its share comes as workerData.

import Tinypool from 'tinypool';
import { tasks } from './work.mjs';

export default ({ task, token, word }) => tasks[task](Tinypool.workerData, token, word);
