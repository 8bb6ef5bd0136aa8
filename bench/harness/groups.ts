// The groups of rows: their titles, in the order in which they are shown.

import type { GroupId } from './results.js';

export const groupTitles: Readonly<Record<GroupId, string>> = {
  baseline: '00 baselines',
  memory: '00 memory that one thread takes and gives back',
  fast: '01 fast path',
  ring: '02 ring: pages through the recycle ring',
  channel: '02 ring: entries through a channel, one thread',
  provider: 'providers: the same work on other memory',
  slow: '03 slow path',
  fragment: '04 fragments, references, pins',
  packet: '04 packets and lines',
  source: 'sources: sockets and files',
  record: 'records to another thread, and lines of text',
  call: 'calls: requests that other threads answer',
  flow: 'waiting: threads that are blocked, and event loops',
  demo: 'the demo: TCP to workers',
  garbage: 'garbage',
  contention: '05 contention',
  watched: '05 contention, looked at by an inspector',
  'handoff-rate': '06 hand-off to another thread: nanoseconds a message',
  'handoff-latency': '06 hand-off to another thread: a message there and back',
  pages: '07 cost against the number of pages',
  ports: '07 cost against the number of ports',
  'page-bytes': '07 cost against the size of pages',
};

export const groupIds = Object.keys(groupTitles) as GroupId[];
