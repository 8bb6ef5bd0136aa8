// Both ends of the bench's threads, in Node and in browsers: jobs go in, one answer a job comes out.
//
// All threads run the one program worker.js beside the entry; what a job means is decided there (bench/worker.ts).

import type { Worker as NodeWorker } from 'node:worker_threads';
import type { Job } from './jobs.js';

/** What a thread answers. */
type Answer = { readonly value: unknown } | { readonly error: string };

/** A running thread; jobs are done one after the other. */
export interface Thread {
  ask<T>(job: Job, transfer?: readonly MessagePort[]): Promise<T>;
  end(): void;
}

const isNode = typeof process === 'object' && process.versions?.node !== undefined;

/** Starts a thread. */
export function startThread(): Thread {
  const url = new URL('./worker.js', import.meta.url);
  const waiting: { resolve(value: unknown): void; reject(reason: Error): void }[] = [];
  const fail = (reason: Error) => {
    for (const { reject } of waiting.splice(0)) reject(reason);
  };
  const heard = (answer: Answer) => {
    const asked = waiting.shift();
    if ('error' in answer) asked?.reject(new Error(answer.error));
    else asked?.resolve(answer.value);
  };
  const worker = isNode ? startInNode(url, heard, fail) : startInBrowser(url, heard, fail);
  return {
    ask: <T>(job: Job, transfer: readonly MessagePort[] = []) =>
      new Promise<T>((resolve, reject) => {
        waiting.push({ resolve: resolve as (value: unknown) => void, reject });
        worker.postMessage(job, transfer as never);
      }),
    end: () => void worker.terminate(),
  };
}

type Heard = (answer: Answer) => void;
type Fail = (reason: Error) => void;

function startInNode(url: URL, heard: Heard, fail: Fail): NodeWorker {
  const worker = new (process.getBuiltinModule('node:worker_threads').Worker)(url);
  worker.on('message', heard);
  worker.on('error', fail);
  worker.on('exit', (code) => fail(new Error(`a thread of the bench ended with exit code ${code}`)));
  return worker;
}

function startInBrowser(url: URL, heard: Heard, fail: Fail): Worker {
  const worker = new Worker(url, { type: 'module' });
  worker.onmessage = ({ data }) => heard(data as Answer);
  worker.onerror = (event) => fail(new Error(event.message ?? 'a thread of the bench could not start'));
  return worker;
}

/** In a thread: does every job that comes. */
export function serveJobs(work: (job: Job) => unknown): void {
  // Both have postMessage and onmessage.
  const port = isNode
    ? (process.getBuiltinModule('node:worker_threads').parentPort as unknown as MessagePort)
    : (globalThis as unknown as MessagePort);
  port.onmessage = async ({ data }) => {
    let answer: Answer;
    try {
      answer = { value: await work(data as Job) };
    } catch (error) {
      answer = { error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
    }
    port.postMessage(answer);
  };
}
