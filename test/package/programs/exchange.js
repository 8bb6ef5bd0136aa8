// The program that every runtime and every bundle runs: two threads hand fragments both ways, lend one, count, and
// close.
//
// No imports: the page or thread that starts it brings PagePool and the way to its worker, so that the same lines run
// bundled, installed, and straight from the package's folder. It is plain JavaScript, as consumers' code may be.

const FRAGMENTS = 300;
// Fewer than the pool has pages: the worker needs some for its copies.
const UNDER_WAY_MAX = 12;
// Says "hung", and nothing else.
const WAIT_MS = 120_000;

/** Which engines the two threads use, and how the worker waits. */
export const cases = [
  { engine: 'wasm', workerEngine: 'wasm', waits: 'blocking' },
  { engine: 'typescript', workerEngine: 'typescript', waits: 'async' },
  { engine: 'wasm', workerEngine: 'typescript', waits: 'blocking' },
];

const lengthOf = (number) => 1 + ((number * 397) % 4096);
const byteOf = (number, index) => (number * 31 + index * 7) & 255;

function expectEqual(name, value, expected) {
  if (value !== expected) throw new Error(`${name}=${value} (expected ${expected})`);
}

function fill(bytes, number) {
  for (let i = 0; i < bytes.length; i++) bytes[i] = byteOf(number, i);
}

/** The bytes are what `fill` wrote with `step` added to each. */
function check(bytes, number, step) {
  for (let i = 0; i < bytes.length; i++) {
    if (bytes[i] !== ((byteOf(number, i) + step) & 255))
      throw new Error(`fragment ${number}: byte ${i} is ${bytes[i]}`);
  }
}

function codeOf(call) {
  try {
    call();
  } catch (error) {
    return error.code;
  }
  return 'no error';
}

/**
 * The first thread's side of one case: what it found, as plain data. `worker.post` and `worker.next` carry messages,
 * `worker.ended` settles when the thread is gone.
 */
export async function lead(PagePool, { engine, workerEngine, waits }, startWorker) {
  const pool = await PagePool.create({
    name: 'exchange',
    engine,
    pageBytes: 4096,
    pageCount: 24,
    maxPorts: 3,
    channels: { there: { capacity: 32 }, back: { capacity: 32, batch: 1 } },
  });
  const worker = startWorker();
  worker.post({ share: { ...pool.share(), engine: workerEngine }, waits });
  const there = pool.channel('there');
  const back = pool.channel('back');
  let bytes = 0;
  for (let sent = 0, received = 0; received < FRAGMENTS; received++) {
    for (; sent < Math.min(FRAGMENTS, received + UNDER_WAY_MAX); sent++) {
      const fragment = pool.take(lengthOf(sent));
      if (fragment === null) break;
      fill(fragment.bytes, sent);
      if (there.sendFragment(fragment, sent)) continue;
      fragment.release();
      break;
    }
    const answer = await Promise.race([back.next({ ref: true, timeoutMs: WAIT_MS }), worker.failed]);
    expectEqual('length', answer.length, lengthOf(answer.tag));
    check(answer.bytes, answer.tag, 1);
    bytes += answer.length;
    answer.release();
  }
  there.close();

  const lent = pool.take(100);
  fill(lent.bytes, 7);
  const token = lent.lend();
  worker.post({ token });
  const message = await worker.next();
  const returned = pool.adopt(message.token);
  check(returned.bytes, 7, 1);
  const spent = codeOf(() => pool.adopt(token));
  const { handle } = returned;
  returned.release();
  const stale = codeOf(() => pool.release(handle));
  await worker.ended;

  const { engine: ownEngine, mode } = pool;
  const { alloc, pages, rejected } = pool.stats();
  const { exact, balanced } = pool.audit();
  const { isDestroyed, inflight } = await pool.close({ ref: true, timeoutMs: WAIT_MS });
  return {
    engine: ownEngine,
    workerEngine: message.engine,
    workerWaits: message.waits,
    mode,
    fragments: FRAGMENTS,
    bytes,
    spent,
    stale,
    rejected,
    isCounted: alloc.fast + alloc.slow > 0 && pages.used + pages.cached + pages.ring + pages.provider === pages.total,
    exact,
    balanced,
    isDestroyed,
    inflight,
  };
}

/** The worker's side of one case: every answer is the fragment itself, or every third time a copy on a new one. */
export async function follow(PagePool, { post, next }) {
  const { share, waits } = await next();
  const pool = PagePool.attach(share, { label: 'worker' });
  const there = pool.channel('there');
  const back = pool.channel('back');
  const options = { ref: true, timeoutMs: WAIT_MS };
  const receive = async () => {
    if (waits === 'async') return there.next(options);
    while (there.waitSync(WAIT_MS)) {
      const fragment = there.receive();
      if (fragment !== null) return fragment;
    }
    return null;
  };
  for (let fragment = await receive(); fragment !== null; fragment = await receive()) {
    check(fragment.bytes, fragment.tag, 0);
    let answer = fragment;
    if (fragment.tag % 3 === 0) {
      answer = await pool.takeAsync(fragment.length, options);
      answer.bytes.set(fragment.bytes);
    }
    for (let i = 0; i < answer.length; i++) answer.bytes[i]++;
    while (!back.sendFragment(answer, fragment.tag)) await back.waitRoom(options);
    if (answer !== fragment) fragment.release();
  }
  const { token } = await next();
  const lent = pool.adopt(token);
  check(lent.bytes, 7, 0);
  for (let i = 0; i < lent.length; i++) lent.bytes[i]++;
  post({ token: lent.lend(), engine: pool.engine, waits });
  pool.detach();
}

/** All cases, one after the other. */
export async function leadAll(PagePool, startWorker) {
  const reports = [];
  for (const one of cases) reports.push(await lead(PagePool, one, startWorker));
  return reports;
}

/** What this realm offers of what the package uses where it is there. */
export function features(locks) {
  return {
    waitAsync: typeof Atomics.waitAsync === 'function',
    locks: locks !== undefined,
    dispose: typeof Symbol.dispose === 'symbol',
  };
}

/** A queue between an event that brings messages and a loop that asks for them. */
export function messageQueue() {
  const messages = [];
  const readers = [];
  return {
    push: (message) => (readers.length > 0 ? readers.shift()(message) : messages.push(message)),
    next: () =>
      messages.length > 0 ? Promise.resolve(messages.shift()) : new Promise((resolve) => readers.push(resolve)),
  };
}
