// The program of every thread of the bench: does the jobs that it is sent (threads/jobs.ts).

import { PagePool } from 'pagepool';
import { RowThread } from './rows/row-thread.js';
import { serveJobs } from './threads/endpoint.js';

const row = new RowThread();
/** Pools that this thread is attached to for the sake of others. */
const attached: PagePool[] = [];

serveJobs((job) => {
  switch (job.type) {
    case 'row.open':
      return row.open(job);
    case 'row.run':
      return row.round(job.timeMs);
    case 'row.garbage':
      return row.garbage(job.timeMs);
    case 'attach':
      return void attached.push(PagePool.attach(job.share));
  }
});
