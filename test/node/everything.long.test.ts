// Many connections, files and writes at once out of a small pool, with clients that leave and functions that throw at
// random; at the end every page is home. Prints its seed; SEED=n replays the choices (not the scheduling).
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { Fragment } from 'pagepool';
import { connectInto, readFileInto, serveInto, writePacket } from 'pagepool/node';
import { expect, test } from 'vitest';
import { expectAllHome } from '../support/home.js';
import { chooseSeed, randomFrom } from '../support/ports.js';
import { turns, until } from '../support/waiting.js';
import { inFolder, pattern, serveEach, withPool } from './support.js';

const STEPS = 6000;
const seed = chooseSeed('node sources');
const bytes = pattern(300_000);

test(`everything at once, ${STEPS} steps`, () =>
  inFolder((folder) =>
    withPool({ pageBytes: 4096, pageCount: 48 }, async (pool) => {
      const next = randomFrom(seed);
      const random = (): number => next() / 2 ** 32;
      const path = join(folder, 'file');
      writeFileSync(path, bytes);
      const outcomes = { whole: 0, failed: 0 };
      const count = (reading: Promise<unknown>): Promise<void> =>
        reading.then(
          () => void outcomes.whole++,
          () => void outcomes.failed++,
        );
      const under: Promise<void>[] = [];
      /** Releases now, later, or throws. */
      const take = (fragment: Fragment): unknown => {
        const choice = random();
        if (choice < 0.0005) throw new Error('chosen');
        if (choice < 0.1) return turns(1 + choice * 20).then(() => fragment.release());
        if (choice < 0.2) void turns(choice * 20).then(() => fragment.release());
        else fragment.release();
        return undefined;
      };
      const serving = await serveEach((socket) => {
        if (random() < 0.5) socket.end(bytes);
        else {
          socket.write(bytes.subarray(0, 1000 + Math.floor(random() * 200_000)));
          void turns(random() * 20).then(() => (random() < 0.5 ? socket.resetAndDestroy() : socket.end()));
        }
      });
      const reading = await serveEach((socket) => {
        const { finished, socket: taken } = serveInto(pool, socket, take, { direct: random() < 0.7 });
        under.push(count(finished.finally(() => taken.destroy())));
      });
      const steps = [
        () => count(connectInto(pool, { port: serving.port, host: '127.0.0.1' }, take).finished),
        () => count(readFileInto(pool, path, take, { depth: 1 + Math.floor(random() * 4) })),
        () => {
          const control = new AbortController();
          void turns(random() * 10).then(() => control.abort(new Error('chosen')));
          return count(readFileInto(pool, path, take, { signal: control.signal }));
        },
        async () => {
          const socket = connect(reading.port, '127.0.0.1').on('error', () => {});
          for (let i = 0; i < 20; i++) {
            const fragment = await pool.takeAsync(3000, { ref: true });
            fragment.bytes.fill(i);
            if (random() < 0.02) socket.destroy();
            await writePacket(socket, fragment).catch(() => {});
          }
          socket.end();
        },
      ];
      let left = STEPS;
      const lanes = Array.from({ length: 6 }, async () => {
        while (left-- > 0) await steps[Math.floor(random() * steps.length)]?.();
      });
      await Promise.all(lanes);
      await Promise.all([serving.end(), reading.end()]);
      await Promise.all(under);
      await until(() => pool.audit().references.ledgers === 0);
      console.log(outcomes);
      expect(outcomes.whole).toBeGreaterThan(STEPS / 10);
      expect(outcomes.failed).toBeGreaterThan(STEPS / 100);
      expectAllHome(pool);
    }),
  ));
