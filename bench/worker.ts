// The program of every thread of the bench: does the jobs that it is sent (threads/jobs.ts).

import { PagePool } from 'pagepool';
import { CrewThread } from './contention/crew-thread.js';
import { HandoffThread } from './handoff/handoff-thread.js';
import { RowThread } from './rows/row-thread.js';
import { serveJobs } from './threads/endpoint.js';

const row = new RowThread();
const crew = new CrewThread();
const handoff = new HandoffThread();
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
    case 'end.open':
      return handoff.open(job);
    case 'end.send':
      return handoff.send(job.first, job.count);
    case 'end.receive':
      return handoff.receive(job.first, job.count);
    case 'end.call':
      return handoff.call(job.first, job.count, job.perSample);
    case 'crew.open':
      return crew.open(job);
    case 'crew.run':
      return crew.run(job.timeMs);
    case 'attach':
      return void attached.push(PagePool.attach(job.share));
  }
});
