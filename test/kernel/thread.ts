// The other threads of threads.test.ts: one role each, by `role` of the workerData.
//
// They spin on words of the test's own, so that both sides come to the place in question at the same time.

import { parentPort, workerData } from 'node:worker_threads';
import type { FragmentToken, PagePool as Pool, PoolShare } from 'pagepool';
import { spinUntil } from '../support/spin.js';
import { LOAN, LOAN_WORDS, type Loan, WORD } from './words.js';

interface Setup {
  readonly entry: string;
  readonly role: keyof typeof roles;
  readonly share: PoolShare;
  readonly words: Int32Array;
  readonly loans: Int32Array;
  readonly rounds: number;
}

const { entry, role, share, words, loans, rounds } = workerData as Setup;
const { PagePool } = (await import(entry)) as { PagePool: typeof Pool };

const set = (index: number, value: number): void => void Atomics.store(words, index, value);
const get = (index: number): number => Atomics.load(words, index);
const until = (index: number, value: number): void => spinUntil(words, index, value);
const post = (message: object): void => parentPort?.postMessage(message);
/** The pools of a role that has one a round, as they come. */
async function* shares(): AsyncGenerator<PoolShare> {
  for (;;) {
    post({ wants: 'share' });
    const message = await new Promise<{ share?: PoolShare }>((resolve) => parentPort?.once('message', resolve));
    if (message.share === undefined) return;
    yield message.share;
  }
}

/** The token of a loan in the table. */
function tokenOf(identity: string, at: number): FragmentToken {
  const index = loans[at + LOAN.index] as number;
  const sequence = loans[at + LOAN.sequence] as number;
  return { kind: 'pagepool-fragment', identity, index, sequence };
}

const roles = {
  /** Brings the pages of a closing pool back, one by one, each when it is told to. */
  async returner(): Promise<void> {
    for await (const next of shares()) {
      const pool = PagePool.attach(next);
      const handles: number[] = [];
      for (let handle = pool.alloc(); handle !== 0; handle = pool.alloc()) handles.push(handle);
      post({ portId: pool.portId, handles });
      until(WORD.toThread, -1);
      pool.poll(); // it parks: from now on the pool can end with any release
      set(WORD.toTest, -1);
      for (const [i, handle] of handles.entries()) {
        until(WORD.toThread, i + 1);
        pool.release(handle);
        set(WORD.toTest, i + 1);
      }
    }
  },

  /** Creates a pool, begins to close it, and ends while somebody holds pages of it. */
  async creator(): Promise<void> {
    const pool = PagePool.createSync({ ...share.options, engine: share.engine, channels: { c: {} } } as never);
    post({ share: pool.share() });
    until(WORD.toThread, 1);
    pool.destroy();
    set(WORD.toTest, 1);
    process.exit();
  },

  /** Takes and gives pages until the pool refuses, and stands still there: its event loop does not run any more. */
  async user(): Promise<void> {
    for await (const next of shares()) {
      const pool = PagePool.attach(next);
      const handles = pool.words(16);
      set(WORD.toTest, 1);
      try {
        for (let i = 0; ; i++) {
          const page = pool.alloc();
          if (page !== 0) pool.release(page);
          if (i % 5 === 0) pool.releaseBulk(handles, pool.allocBurst(handles, 1 + (i % 16)));
          if (i % 7 === 0) {
            const fragment = pool.allocFragment(100);
            if (fragment !== 0) pool.release(fragment);
          }
          if (i % 3 === 0) pool.trim();
        }
      } catch (error) {
        // Destroyed already, where its trim was what parked it.
        if (!/_(CLOSING|DESTROYED)$/.test(String((error as { code?: string }).code))) throw error;
      }
      set(WORD.toTest, 2);
      until(WORD.toThread, 2);
    }
  },

  /** Lends a fragment after the other, and says in the table what it is. */
  async lender(): Promise<void> {
    const pool = PagePool.attach(share);
    const count = loans.length / LOAN_WORDS;
    for (let n = 0; n < rounds; ) {
      const at = (n % count) * LOAN_WORDS;
      spinUntil(loans, at + LOAN.state, 0);
      const handle = n % 2 === 0 ? pool.alloc() : pool.allocFragment(64 + (n % 1900));
      if (handle === 0) continue;
      const offset = n % 61;
      const length = 1 + (n % 3);
      let token: FragmentToken;
      try {
        token = pool.fragment(handle, offset, length).lend();
      } catch (error) {
        if ((error as { code?: string }).code !== 'POOL_ERR_REF_OVERFLOW') throw error;
        pool.release(handle); // all are out
        continue;
      }
      const loan: Loan = { state: 0, index: token.index, sequence: token.sequence, handle, offset, length };
      for (const [name, value] of Object.entries(loan)) loans[at + LOAN[name as keyof Loan]] = value;
      Atomics.store(loans, at + LOAN.state, 1);
      n++;
    }
    set(WORD.toTest, 1);
    pool.detach({ release: true });
    post({ result: {} });
  },

  /** Adopts what the table says as soon as it is there. */
  async adopter(): Promise<void> {
    const pool = PagePool.attach(share);
    const identity = share.identity.join('.');
    const count = loans.length / LOAN_WORDS;
    const result = { adopted: 0, spent: 0, wrong: [] as string[] };
    for (let n = 0; n < rounds; n++) {
      const at = (n % count) * LOAN_WORDS;
      spinUntil(loans, at + LOAN.state, 1);
      try {
        const { handle, offset, length } = pool.adopt(tokenOf(identity, at));
        result.adopted++;
        const came = [handle, offset, length];
        const lent = [LOAN.handle, LOAN.offset, LOAN.length].map((word) => loans[at + word]);
        if (came.join() !== lent.join()) result.wrong.push(`loan ${n}: lent ${lent}, adopted ${came}`);
        pool.release(handle);
      } catch (error) {
        if ((error as { code?: string }).code !== 'POOL_ERR_TOKEN_SPENT') throw error;
        result.spent++;
      }
      Atomics.store(loans, at + LOAN.state, 0);
    }
    pool.detach({ release: true });
    post({ result });
  },

  /** Takes back whatever is lent, all the time. */
  async reclaimer(): Promise<void> {
    const pool = PagePool.attach(share);
    let reclaimed = 0;
    while (get(WORD.toTest) === 0) reclaimed += pool.reclaimTokens(0);
    pool.detach();
    post({ result: { reclaimed } });
  },

  /** Releases its references on what it was sent, at the moment when others let go of theirs. */
  async sharer(): Promise<void> {
    const pool = PagePool.attach(share);
    const channel = pool.channel('c');
    for (let round = 1; round <= rounds; round++) {
      const handles: number[] = [];
      while (handles.length < 3) {
        const fragment = channel.receive();
        if (fragment !== null) handles.push(fragment.handle);
      }
      set(WORD.toTest, round);
      until(WORD.toThread, round);
      for (const handle of handles) pool.release(handle);
      set(WORD.toTest, -round);
      until(WORD.toThread, -round);
    }
    pool.detach();
    post({ result: {} });
  },
};

await roles[role]();
parentPort?.close();
