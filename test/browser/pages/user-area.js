// A hostile consumer on a worker, two honest ones beside it, and the page as the pool's thread.

import { userArea as area, UserQueue } from '../pagepool/user-area.js';
import { Scene } from '../user/scene.js';
import { PagePool } from './both.js';
import { randomFrom } from './stamp.js';
import { startWorker } from './threads.js';

/** Comes back a task later, also where a page's timers are throttled. */
function breathe() {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port2.onmessage = () => {
      port1.close();
      resolve();
    };
    port1.postMessage(0);
  });
}

/**
 * @param {{ engine: string, seed: number, entries: number, times: number, writesArea: boolean, isViolent: boolean }}
 *   options
 */
export async function userArea({ engine, seed, entries, times, writesArea, isViolent }) {
  const random = randomFrom(seed);
  const failures = [];
  const start = (kind, share, counts) => {
    const worker = startWorker('user-area-worker.js');
    const ended = new Promise((resolve) => {
      worker.onmessage = resolve;
      worker.onerror = ({ message }) => {
        failures.push(message);
        resolve();
      };
    });
    worker.postMessage({ kind, share, counts, writesArea, seed: random(2 ** 31) });
    return {
      end: async () => {
        if (!isViolent) await ended;
        worker.terminate();
      },
    };
  };
  const given = { PagePool, UserQueue, userArea: area };
  const scene = await Scene.open({ package: given, engine, random, writesArea, failures, start });
  return scene.play(() => scene.hasSeen(entries, times), breathe, isViolent);
}
