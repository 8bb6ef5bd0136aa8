// The suite of the device provider: the same checks on real devices in Node and in Chromium.
//
// Plain JavaScript without a test runner, since pages run it as well: each check gets what the platform has and throws when
// something is wrong. Random choices follow from env.seed.

/** @typedef {{ PagePool: any, webgpu: any, testProvider: any, packet: any, makeDevice: () => Promise<any>, seed: number, takesSharedViews: boolean, runThread: (share: any) => Promise<any>, startThread?: () => { worker: any } }} Env */

const KIB64 = 65536;
const USAGE = { COPY_SRC: 4, COPY_DST: 8, STORAGE: 128, UNIFORM: 64, MAP_READ: 1 };

export function equal(actual, expected, what = 'value') {
  const [one, other] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (one !== other) throw new Error(`${what}: ${one} (expected ${other})`);
}

export function codeOf(run) {
  try {
    run();
  } catch (error) {
    return error.code ?? String(error);
  }
  return 'nothing thrown';
}

async function rejection(promise) {
  return promise.then(
    () => 'nothing thrown',
    // A DOMException's code is a number.
    ({ code, name }) => (typeof code === 'string' ? code : name),
  );
}

export function randomFrom(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  };
}

const later = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function until(isSo, what) {
  for (let i = 0; i < 1000; i++) {
    if (isSo()) return;
    await later(5);
  }
  throw new Error(`never: ${what}`);
}

/** Bytes that say where they belong. */
function stamp(bytes, number) {
  const next = randomFrom(number);
  for (let i = 0; i < bytes.length; i++) bytes[i] = next();
}

function isStamped(bytes, number) {
  const next = randomFrom(number);
  return bytes.every((byte) => byte === (next() & 0xff));
}

/** A device, a pool on it, a host pool, and what was created on the device. */
export async function setUp(env, { webgpu = {}, pool = {}, memory = {}, host = {} } = {}) {
  const device = await env.makeDevice();
  const created = [];
  // Buffers that were not destroyed: nobody else creates any here.
  const live = new Set();
  const { createBuffer } = device;
  device.createBuffer = (descriptor) => {
    const buffer = createBuffer.call(device, descriptor);
    created.push(descriptor);
    live.add(buffer);
    const { destroy } = buffer;
    buffer.destroy = () => {
      live.delete(buffer);
      destroy.call(buffer);
    };
    return buffer;
  };
  const provider = env.webgpu(device, webgpu);
  const hostPool = await env.PagePool.create({ pageBytes: KIB64, pageCount: 32, ...host });
  const gpu = await env.PagePool.create({
    provider,
    pageBytes: KIB64,
    pageCount: 64,
    channels: { work: { capacity: 16 } },
    ...pool,
  });
  return {
    device,
    created,
    live,
    provider,
    host: hostPool,
    gpu,
    memory: provider.memory(gpu, { host: hostPool, ...memory }),
  };
}

/** Every page is home, and the pools end. */
export async function tearDown({ gpu, host, device, provider, live }) {
  for (const pool of [gpu, host]) {
    const report = await pool.close({ timeoutMs: 5000 });
    equal(report.isDestroyed, true, `${pool.name} ends; holders ${JSON.stringify(report.holders)}`);
  }
  const { pools, buffers, bytes, createdBuffers, destroyedBuffers } = provider.describe();
  equal({ pools, buffers, bytes }, { pools: 0, buffers: 0, bytes: 0 }, 'what is left');
  equal(destroyedBuffers, createdBuffers, 'buffers destroyed');
  equal(live.size, 0, 'buffers of any kind that are left');
  device.destroy();
  await device.lost;
}

function requireHome(pool) {
  pool.trim();
  const audit = pool.audit();
  equal(
    { errors: audit.errors, used: audit.pages.used, balanced: audit.balanced },
    { errors: [], used: 0, balanced: true },
  );
}

const stagingOf = (provider) => provider.describe().memories[0].staging;

/** One readback, so that there is a staging buffer; its `onMapping` is called with each mapAsync, `onMapped` before its range is got. */
async function warmStaging({ device, gpu, memory }) {
  const buffers = [];
  const { createBuffer } = device;
  device.createBuffer = (descriptor) => {
    const buffer = createBuffer(descriptor);
    const { getMappedRange, mapAsync } = buffer;
    buffer.mapAsync = (...range) => {
      buffer.onMapping?.();
      return mapAsync.apply(buffer, range);
    };
    buffer.getMappedRange = (...range) => {
      buffer.onMapped?.();
      return getMappedRange.apply(buffer, range);
    };
    buffers.push(buffer);
    return buffer;
  };
  const handle = gpu.alloc();
  (await memory.readback(handle)).release();
  return { buffers, handle };
}

/** One check for each order of the three ends. */
const ENDS = ['consumer', 'pool', 'device'];
const ORDERS = ENDS.flatMap((a) =>
  ENDS.filter((b) => b !== a).map((b) => [a, b, ENDS.find((c) => c !== a && c !== b)]),
);

/** @type {readonly (readonly [string, (env: Env) => Promise<void>])[]} */
export const suite = [
  [
    'pages are stretches of GPUBuffers, aligned as the device asks, and cannot be looked at',
    async (env) => {
      const all = await setUp(env, { webgpu: { bufferBytes: 4 * KIB64 } });
      const { gpu, memory, device, created } = all;
      const handles = [gpu.alloc(), gpu.alloc(), ...[100, 1000, 5000].map((bytes) => gpu.allocFragment(bytes))];
      const seen = handles.map((handle) => memory.binding(handle));
      for (const [i, { buffer, offset, size }] of seen.entries()) {
        equal(offset % device.limits.minStorageBufferOffsetAlignment, 0, 'alignment');
        equal(size, gpu.extent(handles[i]), 'size');
        equal(offset + size <= buffer.size && buffer.size === 4 * KIB64, true, 'inside');
        for (const other of seen.slice(0, i)) {
          const isApart =
            other.buffer !== buffer || other.offset >= offset + size || offset >= other.offset + other.size;
          equal(isApart, true, 'apart');
        }
      }
      equal(memory.binding(handles[0]) === seen[0], true, 'a whole page has one binding');
      equal(
        created.map(({ size }) => size),
        [4 * KIB64],
        'buffers',
      );
      for (const handle of handles) {
        equal(gpu.isReadable(handle), false);
        for (const look of [() => gpu.bytes(handle), () => gpu.area(handle), () => gpu.fragment(handle).bytes]) {
          equal(codeOf(look), 'POOL_ERR_UNREADABLE');
        }
        equal(
          codeOf(() => gpu.pin(handle)),
          'POOL_ERR_NOT_DETACHABLE',
        );
        gpu.release(handle);
        equal(
          codeOf(() => memory.binding(handle)),
          'POOL_ERR_STALE_HANDLE',
        );
      }
      requireHome(gpu);
      await tearDown(all);
    },
  ],
  [
    'what does not fit the device is refused before any buffer is created',
    async (env) => {
      const device = await env.makeDevice();
      const refused = (options, pool = {}) =>
        rejection(
          (async () => {
            const made = await env.PagePool.create({
              provider: env.webgpu(device, options),
              pageBytes: KIB64,
              pageCount: 8,
              ...pool,
            });
            await made.close();
          })(),
        );
      for (const options of [
        { usage: USAGE.STORAGE | USAGE.MAP_READ },
        { usage: 0 },
        { bufferBytes: device.limits.maxBufferSize + 1 },
        { keepBytes: -1 },
        { bufferSize: 1 },
      ]) {
        equal(await refused(options), 'POOL_ERR_INVALID_ARGUMENT', JSON.stringify(options));
      }
      // Fragments of 64 B cannot be bound, and neither can a uniform buffer of 128 KiB.
      equal(await refused({}, { pageBytes: 4096 }), 'POOL_ERR_PROVIDER');
      equal(await refused({}, { pageBytes: 4096, unitBytes: 256 }), 'nothing thrown');
      equal(await refused({ usage: USAGE.COPY_SRC | USAGE.COPY_DST }, { pageBytes: 4096 }), 'nothing thrown');
      const uniform = USAGE.UNIFORM | USAGE.COPY_DST;
      equal(await refused({ usage: uniform }, { pageBytes: 2 * KIB64 }), 'POOL_ERR_PROVIDER');
      equal(await refused({ bufferBytes: KIB64 / 2 }), 'POOL_ERR_PROVIDER');
      equal(
        codeOf(() => env.PagePool.createSync({ provider: env.webgpu(device), pageBytes: KIB64, pageCount: 8 })),
        'POOL_ERR_PROVIDER',
      );
      equal(
        codeOf(() => env.webgpu({})),
        'POOL_ERR_INVALID_ARGUMENT',
      );
      device.destroy();
      await device.lost;
      equal(await refused({}), 'POOL_ERR_PROVIDER', 'a device that is lost');
    },
  ],
  [
    'bytes go in from shared pages and come back whole, whatever their length and place',
    async (env) => {
      const all = await setUp(env);
      const { gpu, host, memory, provider } = all;
      equal(provider.describe().takesSharedViews, env.takesSharedViews, 'takesSharedViews');
      const next = randomFrom(env.seed);
      let bytes = 0;
      for (let round = 0; round < 60; round++) {
        const length = 1 + (next() % KIB64);
        const whole = host.take(Math.min(KIB64, length + 7));
        const window = whole.slice(Math.min(next() % 7, whole.length - length), length);
        stamp(window.bytes, round);
        const handle = memory.upload(window);
        window.bytes.fill(0);
        window.release();
        whole.release();
        bytes += length;
        const back = memory.readback(handle, { length });
        gpu.release(handle); // the copy is submitted
        const fragment = await back;
        equal(fragment.length, length);
        equal(isStamped(fragment.bytes, round), true, `round ${round}, ${length} bytes`);
        fragment.release();
      }
      equal(provider.describe().memories[0].copiedBytes, env.takesSharedViews ? 0 : bytes, 'copied on the way');
      // The rest of a word is zeros, not what lies behind the window.
      const page = host.take();
      page.bytes.fill(0xff);
      const odd = page.slice(0, 5);
      const handle = memory.upload(odd);
      const tail = await memory.readback(handle, { offset: 4, length: 4 });
      equal([...tail.bytes], [0xff, 0, 0, 0]);
      equal(
        codeOf(() => memory.write(handle, page)),
        'POOL_ERR_INVALID_ARGUMENT',
      );
      for (const options of [{ offset: 2 }, { length: 0 }, { length: KIB64 + 1 }, { size: 1 }]) {
        equal(await rejection(memory.readback(handle, options)), 'POOL_ERR_INVALID_ARGUMENT', JSON.stringify(options));
      }
      equal(
        codeOf(() => memory.upload(gpu.fragment(handle))),
        'POOL_ERR_UNREADABLE',
      );
      for (const each of [page, odd, tail]) each.release();
      gpu.release(handle);
      requireHome(gpu);
      requireHome(host);
      await tearDown(all);
    },
  ],
  [
    'an empty device pool is a value, and a fragment longer than a page a RangeError',
    async (env) => {
      const all = await setUp(env, { pool: { pageCount: 1 }, host: { pageBytes: 2 * KIB64 } });
      const { gpu, host, memory } = all;
      const fragment = host.take(KIB64);
      const handle = memory.upload(fragment);
      equal(handle !== 0, true);
      equal(memory.upload(fragment), 0);
      const long = host.take(KIB64 + 1);
      try {
        memory.upload(long);
        throw new Error('nothing thrown');
      } catch (error) {
        equal(error.name, 'RangeError');
      }
      for (const each of [fragment, long]) each.release();
      gpu.release(handle);
      await tearDown(all);
    },
  ],
  [
    'buffers are taken as they are wanted, and given up above the low-water mark',
    async (env) => {
      const all = await setUp(env, {
        webgpu: { bufferBytes: 2 * KIB64, keepBytes: 4 * KIB64 },
        pool: { pageCount: 7 },
      });
      const { gpu, provider, created } = all;
      equal(provider.describe().bytes, 4 * KIB64);
      const handles = [];
      while (handles.length < 7) handles.push((await gpu.takeAsync(undefined, { timeoutMs: 5000 })).handle);
      equal(gpu.alloc(), 0, 'more than the pool has');
      equal(
        created.map(({ size }) => size / KIB64),
        [2, 2, 2, 1],
      );
      for (const handle of handles) gpu.release(handle);
      gpu.trim();
      const { bytes, buffers, createdBuffers, destroyedBuffers } = provider.describe();
      equal(
        { bytes: bytes / KIB64, buffers, createdBuffers, destroyedBuffers },
        {
          bytes: 5 - (bytes === 4 * KIB64 ? 1 : 0),
          buffers,
          createdBuffers: 4,
          destroyedBuffers: 4 - buffers,
        },
      );
      equal(bytes >= 4 * KIB64 && bytes < 6 * KIB64, true, `kept ${bytes}`);
      // The numbers are used again, by another buffer.
      const again = [];
      while (again.length < 7) again.push((await gpu.takeAsync(undefined, { timeoutMs: 5000 })).handle);
      for (const handle of again) gpu.release(handle);
      requireHome(gpu);
      await tearDown(all);
    },
  ],
  [
    'every page can be had, also where a buffer of another size took numbers out of a gap',
    async (env) => {
      const all = await setUp(env, { webgpu: { bufferBytes: 16 * KIB64, keepBytes: 0 }, pool: { pageCount: 40 } });
      const { gpu, device, provider } = all;
      const take = async () => (await gpu.takeAsync(undefined, { timeoutMs: 5000 })).handle;
      const held = [];
      while (held.length < 32) held.push(await take());
      // The last 8 pages are on their way when the first 16 leave: the new buffer takes numbers of theirs.
      const { popErrorScope } = device;
      const answer = withResolvers();
      device.popErrorScope = async () => {
        const said = popErrorScope.call(device);
        await answer.promise;
        return said;
      };
      equal(gpu.alloc(), 0, 'a page of a buffer that is not there');
      for (const handle of held.splice(0, 16)) gpu.release(handle);
      gpu.trim();
      equal(provider.describe().buffers, 1, 'buffers while one is on its way');
      device.popErrorScope = popErrorScope;
      answer.resolve();
      while (held.length < 40) held.push(await take());
      equal([gpu.alloc(), provider.describe().refusedBuffers, provider.describe().failure], [0, 0, null]);
      for (const handle of held) gpu.release(handle);
      requireHome(gpu);
      await tearDown(all);
    },
  ],
  [
    'a buffer that the device refuses circulates no page: the pool is refused, or says why it is empty',
    async (env) => {
      const device = await env.makeDevice();
      const { createBuffer } = device;
      let isRefusing = true;
      device.createBuffer = (descriptor) =>
        createBuffer.call(device, isRefusing ? { ...descriptor, usage: 0 } : descriptor);
      const provider = env.webgpu(device, { bufferBytes: KIB64 });
      const make = () => env.PagePool.create({ provider, pageBytes: KIB64, pageCount: 4 });
      equal(await rejection(make()), 'POOL_ERR_PROVIDER');
      equal(provider.describe().pools, 0);
      isRefusing = false;
      const gpu = await make();
      const first = gpu.alloc();
      isRefusing = true;
      equal(gpu.alloc(), 0);
      await until(() => provider.describe().refusedBuffers > 0, 'the refusal is known');
      equal(provider.describe().failure.includes('createBuffer of 65536 bytes'), true, provider.describe().failure);
      equal(gpu.stats().provider.owner.areas, 1);
      isRefusing = false;
      const second = await gpu.takeAsync(undefined, { timeoutMs: 5000 });
      equal(provider.describe().failure, null);
      second.release();
      gpu.release(first);
      requireHome(gpu);
      await gpu.close();
      device.destroy();
    },
  ],
  [
    'a createBuffer that throws refuses the pool or the growth, and leaves the error scopes of the program alone',
    async (env) => {
      const device = await env.makeDevice();
      const { createBuffer } = device;
      let isThrowing = true;
      // Not a multiple of 4: both platforms throw a RangeError.
      device.createBuffer = (descriptor) =>
        createBuffer.call(device, isThrowing ? { ...descriptor, size: 6, mappedAtCreation: true } : descriptor);
      const provider = env.webgpu(device, { bufferBytes: KIB64 });
      const make = () => env.PagePool.create({ provider, pageBytes: KIB64, pageCount: 4 });
      device.pushErrorScope('validation');
      equal(await rejection(make()), 'POOL_ERR_PROVIDER');
      isThrowing = false;
      const gpu = await make();
      const handle = gpu.alloc();
      isThrowing = true;
      equal(gpu.alloc(), 0);
      await until(() => provider.describe().refusedBuffers > 0, 'the refusal is known');
      equal(await device.popErrorScope(), null, 'the scope of the program');
      equal(await rejection(device.popErrorScope()), 'OperationError', 'scopes that are left open');
      gpu.release(handle);
      requireHome(gpu);
      await gpu.close();
      device.destroy();
    },
  ],
  [
    'fences release in the order that promises settle in, whatever way, each reference once',
    async (env) => {
      const all = await setUp(env);
      const { gpu, memory, provider } = all;
      const fences = [0, 1, 2].map(() => Promise.withResolvers?.() ?? withResolvers());
      const handles = [gpu.alloc(), gpu.alloc(), gpu.allocFragment(500)];
      const done = fences.map(({ promise }, i) => memory.releaseAfter(handles[i], promise));
      gpu.retain(handles[0], 2);
      const more = memory.releaseAfter(Uint32Array.of(handles[0], handles[0]), fences[1].promise);
      equal(provider.describe().memories[0].fences, { pending: 4, handles: 5, refused: 0 });
      fences[2].resolve();
      await done[2];
      equal(
        codeOf(() => gpu.extent(handles[2])),
        'POOL_ERR_STALE_HANDLE',
      );
      fences[1].reject(new Error('the device has a bad day'));
      await Promise.all([done[1], more]);
      equal(
        codeOf(() => gpu.extent(handles[1])),
        'POOL_ERR_STALE_HANDLE',
      );
      equal(gpu.refCount(handles[0]), 1);
      fences[0].resolve();
      await done[0];
      requireHome(gpu);
      const stale = handles[0];
      const live = gpu.alloc();
      equal(
        codeOf(() => memory.releaseAfter([live, stale], Promise.resolve())),
        'POOL_ERR_STALE_HANDLE',
      );
      equal(
        codeOf(() => memory.releaseAfter([live], 5)),
        'POOL_ERR_INVALID_ARGUMENT',
      );
      equal(gpu.refCount(live), 1, 'a refused call takes nothing over');
      // A then() that throws has settled.
      gpu.retain(live);
      await memory.releaseAfter(live, throwingThenable());
      equal(gpu.refCount(live), 1);
      await memory.afterSubmit(live);
      requireHome(gpu);
      equal(provider.describe().memories[0].fences, { pending: 0, handles: 0, refused: 0 });
      await tearDown(all);
    },
  ],
  [
    'a fence that opens after the pool began to close lets it end',
    async (env) => {
      const all = await setUp(env);
      const { gpu, memory, provider } = all;
      const fence = withResolvers();
      void memory.releaseAfter([gpu.alloc(), gpu.alloc()], fence.promise);
      const report = await gpu.close({ timeoutMs: 50 });
      equal([report.isDestroyed, report.inflight], [false, 2]);
      equal(provider.describe().buffers, 1, 'the buffer outlasts the close');
      fence.resolve();
      await until(() => provider.describe().pools === 0, 'the pool ends');
      await tearDown(all);
    },
  ],
  [
    'tokens come back in batches of ranges: at most 1,024 are looked at, unknown ones are skipped and counted',
    async (env) => {
      const all = await setUp(env, { pool: { pageCount: 64 } });
      const { gpu, memory, provider } = all;
      const consumer = memory.consumer({ name: 'renderer' });
      const tokens = [];
      for (let i = 0; i < 1500; i++) {
        const handle = gpu.allocFragment(256);
        equal(handle !== 0, true, 'room');
        tokens.push(consumer.give(handle));
      }
      equal(
        tokens.every((token, i) => token === tokens[0] + i),
        true,
        'one after the other',
      );
      equal(gpu.isReadable(consumer.handleOf(tokens[7])), false);
      const first = tokens[0];
      // Four thousand million tokens: 1,024 are looked at.
      equal(consumer.release([first, 2 ** 32 - 1]), 1024);
      equal([consumer.held, consumer.skipped], [476, 0]);
      equal(consumer.handleOf(first), 0);
      // Those again, some that never were, and ten that are out.
      equal(consumer.release([first, 100, 0, 1, first + 1490, 10, first + 1490, 5, 2 ** 31, 3]), 10);
      equal([consumer.held, consumer.skipped], [466, 109]);
      // Empty ranges end as well.
      equal(consumer.release(new Uint32Array(4096)), 0);
      equal(consumer.release(Uint32Array.from([...new Array(2048).fill(0), first + 1480, 1])), 0, 'beyond the 1,024');
      for (const bad of [[1], [1.5, 1], [-1, 1], [1, Number.NaN], ['1', 1]]) {
        equal(
          codeOf(() => consumer.release(bad)),
          'POOL_ERR_INVALID_ARGUMENT',
          JSON.stringify(bad),
        );
      }
      equal(provider.describe().memories[0].tokens, { consumers: 1, held: 466, skipped: 109 });
      // It goes: all others come back. What it still sends is late and harmless.
      equal(consumer.close(), 466);
      equal([consumer.release([first, 1500]), consumer.close(), consumer.held], [0, 0, 0]);
      equal(provider.describe().memories[0].tokens, { consumers: 0, held: 0, skipped: 109 + 1024 });
      const late = gpu.alloc();
      equal(
        codeOf(() => consumer.give(late)),
        'POOL_ERR_INVALID_ARGUMENT',
      );
      gpu.release(late);
      gpu.trim();
      requireHome(gpu);
      await tearDown(all);
    },
  ],
  [
    'ranges that change while they are looked at are read once, and what is no list is refused',
    async (env) => {
      const all = await setUp(env);
      const { gpu, memory } = all;
      const consumer = memory.consumer();
      const [one, two] = [consumer.give(gpu.alloc()), consumer.give(gpu.alloc())];
      // As shared memory does that the consumer writes meanwhile: another token, another count, another length.
      const reads = { length: 0, 0: 0, 1: 0 };
      const answers = { length: [2, 4], 0: [one, two], 1: [1, 2] };
      const ranges = new Proxy({}, { get: (_, name) => answers[name][Math.min(reads[name]++, 1)] });
      equal(consumer.release(ranges), 1);
      equal([consumer.handleOf(one), consumer.handleOf(two) !== 0], [0, true], 'what was checked is released');
      equal(reads, { length: 1, 0: 1, 1: 1 }, 'reads');
      for (const bad of [
        null,
        undefined,
        5,
        'ab',
        {},
        { length: -2 },
        { length: 1.5 },
        { length: '2', 0: two, 1: 1 },
      ]) {
        equal(
          codeOf(() => consumer.release(bad)),
          'POOL_ERR_INVALID_ARGUMENT',
          JSON.stringify(bad),
        );
      }
      equal([consumer.held, consumer.skipped], [1, 0]);
      equal(consumer.close(), 1);
      requireHome(gpu);
      await tearDown(all);
    },
  ],
  [
    'a reference that a fence or a token has cannot be handed over again',
    async (env) => {
      const all = await setUp(env);
      const { gpu, memory, provider } = all;
      const fence = withResolvers();
      const consumer = memory.consumer();
      const [one, two] = [gpu.alloc(), gpu.alloc()];
      const done = memory.releaseAfter(one, fence.promise);
      const token = consumer.give(two);
      for (const again of [
        () => memory.releaseAfter(one, Promise.resolve()),
        () => memory.afterSubmit([one]),
        () => consumer.give(one),
        () => consumer.give(two),
        () => memory.releaseAfter(two, fence.promise),
      ]) {
        equal(codeOf(again), 'POOL_ERR_NOT_HELD');
      }
      // With a second reference it can, once; a list is taken over as a whole or not at all.
      gpu.retain(one);
      equal(
        codeOf(() => memory.releaseAfter([one, one], fence.promise)),
        'POOL_ERR_NOT_HELD',
      );
      equal(provider.describe().memories[0].fences, { pending: 1, handles: 1, refused: 0 });
      const more = memory.releaseAfter(one, fence.promise);
      equal(
        codeOf(() => consumer.give(one)),
        'POOL_ERR_NOT_HELD',
      );
      fence.resolve();
      await Promise.all([done, more]);
      equal(consumer.release([token, 1]), 1);
      // The pages' next users start anew.
      const next = [gpu.alloc(), gpu.alloc()];
      await memory.afterSubmit(next);
      equal(provider.describe().memories[0].fences, { pending: 0, handles: 0, refused: 0 });
      requireHome(gpu);
      await tearDown(all);
    },
  ],
  [
    'numbers, packets and fragments of another device are refused',
    async (env) => {
      const [one, other] = [await setUp(env), await setUp(env)];
      const handle = one.gpu.alloc();
      equal(
        codeOf(() => other.memory.binding(handle)),
        'POOL_ERR_STALE_HANDLE',
      );
      equal(await rejection(other.memory.readback(handle)), 'POOL_ERR_STALE_HANDLE');
      for (const take of [
        () => other.memory.afterSubmit(handle),
        () => other.memory.consumer().give(handle),
        () => other.memory.write(handle, other.host.take()),
      ]) {
        equal(codeOf(take), 'POOL_ERR_STALE_HANDLE');
      }
      equal(
        codeOf(() => other.provider.memory(one.gpu)),
        'POOL_ERR_INVALID_ARGUMENT',
      );
      const fragment = one.gpu.fragment(handle);
      equal(
        codeOf(() => other.memory.upload(fragment)),
        'POOL_ERR_UNREADABLE',
      );
      equal(
        codeOf(() => other.gpu.channel('work').sendFragment(fragment)),
        'POOL_ERR_FOREIGN_HANDLE',
      );
      const packet = new env.packet.Packet().append(fragment);
      equal(
        codeOf(() => env.packet.sendPacket(other.gpu.channel('work'), packet)),
        'POOL_ERR_FOREIGN_HANDLE',
      );
      packet.release();
      requireHome(one.gpu);
      await tearDown(one);
      other.host.detach({ release: true });
      await other.gpu.close();
      other.device.destroy();
    },
  ],
  [
    'packets carry device memory like any other, refuse to be read, and never mix with what can be',
    async (env) => {
      const { Packet, sendPacket, receivePacket, lines } = env.packet;
      const all = await setUp(env, { pool: { reserve: { provider: 'slab', pageCount: 2 }, pageCount: 4 } });
      const { gpu, host, memory } = all;
      const sources = [1, 2].map((number) => {
        const source = host.take(1000);
        stamp(source.bytes, number);
        return source;
      });
      const packet = new Packet();
      for (const source of sources) packet.append(gpu.fragment(memory.upload(source), 0, 1000));
      equal([packet.isReadable, packet.length], [false, 2000]);
      for (const look of [
        () => packet.getUint8(0),
        () => packet.copyTo(new Uint8Array(2000)),
        () => packet.indexOf(0),
        () => packet.toBuffers(),
        () => [...packet],
        () => packet.expandHead(8),
        () => packet.coalesce(),
      ]) {
        equal(codeOf(look), 'POOL_ERR_UNREADABLE', String(look));
      }
      // The reserve can be read: whatever comes first, both refuse the other.
      const taken = [];
      for (let handle = gpu.alloc(); handle !== 0; handle = gpu.alloc()) taken.push(gpu.fragment(handle));
      const readable = taken.find(({ handle }) => gpu.isReadable(handle));
      const dark = taken.find(({ handle }) => !gpu.isReadable(handle));
      const light = new Packet().append(readable);
      for (const mix of [
        () => packet.append(light),
        () => packet.prepend(light),
        () => light.append(packet),
        () => light.prepend(dark),
      ]) {
        equal(codeOf(mix), 'POOL_ERR_UNREADABLE', String(mix));
      }
      equal([packet.parts, light.parts], [2, 1]);
      for (const each of [light, ...taken.filter((fragment) => fragment !== readable)]) each.release();
      // Cut in the middle of the second fragment, sent, and read back window by window.
      const rest = packet.split(1500);
      const work = gpu.channel('work');
      equal([sendPacket(work, packet, 1), sendPacket(work, rest, 2)], [true, true]);
      const back = [];
      for (const tag of [1, 2]) {
        const came = receivePacket(work);
        equal([came.tag, came.isReadable], [tag, false]);
        for (const { handle, offset, length } of came.windows()) {
          const fragment = await memory.readback(handle, { offset, length });
          back.push(...fragment.bytes);
          fragment.release();
        }
        equal(await rejection(lines([came]).next()), 'POOL_ERR_UNREADABLE');
      }
      equal(back, [...sources[0].bytes, ...sources[1].bytes]);
      for (const source of sources) source.release();
      requireHome(gpu);
      await tearDown(all);
    },
  ],
  [
    'an upload takes no page of a reserve that the device does not see',
    async (env) => {
      const all = await setUp(env, { pool: { reserve: { provider: 'slab', pageCount: 1 }, pageCount: 1 } });
      const { gpu, host, memory } = all;
      const source = host.take(256);
      const first = memory.upload(source);
      equal(gpu.isReadable(first), false);
      const rest = [];
      for (let handle = gpu.allocFragment(256); !gpu.isReadable(handle); handle = gpu.allocFragment(256))
        rest.push(handle);
      equal([memory.upload(source), memory.upload(source)], [0, 0]);
      // Device memory is back, and found, though fragments were cut from the reserve's page and one is still held.
      for (const handle of [first, ...rest]) gpu.release(handle);
      const again = memory.upload(source);
      equal(again !== 0 && !gpu.isReadable(again), true, 'an upload after the release');
      source.release();
      gpu.detach({ release: true });
      await host.close();
      all.device.destroy();
    },
  ],
  [
    'fragments of one page are written and read apart from each other',
    async (env) => {
      const all = await setUp(env, { pool: { pageCount: 2 } });
      const { gpu, host, memory } = all;
      const next = randomFrom(env.seed);
      const parts = [];
      for (let number = 0; ; number++) {
        const source = host.take(1 + (next() % 3000));
        stamp(source.bytes, number);
        const handle = memory.upload(source);
        source.release();
        if (handle === 0) break;
        parts.push({ handle, number, length: source.length });
      }
      equal(parts.length > 20, true, `${parts.length} fragments on two pages`);
      for (const { handle, number, length } of parts) {
        const back = await memory.readback(handle, { length });
        equal(isStamped(back.bytes, number), true, `fragment ${number}`);
        back.release();
        gpu.release(handle);
      }
      requireHome(gpu);
      await tearDown(all);
    },
  ],
  ...ORDERS.map((order) => [
    `ends in the order ${order.join(', ')}: every page is accounted for, and what comes late is harmless`,
    async (env) => {
      const all = await setUp(env, { webgpu: { bufferBytes: 4 * KIB64 } });
      const { gpu, host, memory, device, provider } = all;
      // A worker that is terminated, where its end can be heard of.
      const thread = env.startThread?.();
      const consumer = memory.consumer({ worker: thread?.worker });
      const tokens = [];
      // More than one buffer's.
      while (tokens.length < 6)
        tokens.push(consumer.give((await gpu.takeAsync(undefined, { timeoutMs: 5000 })).handle));
      const never = memory.releaseAfter(gpu.allocFragment(4096), new Promise(() => {}));
      const held = gpu.allocFragment(1000);
      let closing;
      const ends = {
        consumer: async () => {
          equal(consumer.held, 6, 'tokens');
          if (thread === undefined) equal(consumer.close(), 6);
          await thread?.worker.terminate();
          equal(consumer.held, 0);
        },
        pool: () => {
          closing = gpu.close({ timeoutMs: 5000 });
        },
        device: async () => {
          device.destroy();
          await device.lost;
          // Only the loss opens a fence whose promise never settles.
          await never;
        },
      };
      for (const each of order) {
        await ends[each]();
        await later(2);
      }
      equal(provider.describe().state, 'lost');
      equal(consumer.release([tokens[0], 6]), 0, 'late tokens');
      equal(
        codeOf(() => memory.binding(held)),
        'POOL_ERR_PROVIDER',
      );
      equal(await rejection(memory.readback(held)), 'POOL_ERR_PROVIDER');
      gpu.release(held);
      const report = await closing;
      equal([report.isDestroyed, report.inflight, report.holders], [true, 0, []]);
      const { pools, buffers, bytes } = provider.describe();
      equal({ pools, buffers, bytes }, { pools: 0, buffers: 0, bytes: 0 });
      await host.close();
    },
  ]),
  [
    'after the loss nothing is handed out, and a pool on the same provider is refused',
    async (env) => {
      const all = await setUp(env, { webgpu: { bufferBytes: 2 * KIB64 } });
      const { gpu, host, memory, device, provider } = all;
      const handles = [gpu.alloc(), gpu.alloc()];
      const fragment = host.take();
      const waiting = rejection(gpu.takeAsync(undefined, { timeoutMs: 5000 }));
      device.destroy();
      await device.lost;
      equal(await waiting, 'POOL_ERR_PROVIDER', 'who waits is told');
      equal(
        codeOf(() => memory.upload(fragment)),
        'POOL_ERR_PROVIDER',
      );
      equal(
        codeOf(() => gpu.allocBulk(new Uint32Array(4), 4)),
        'POOL_ERR_PROVIDER',
      );
      await memory.afterSubmit(handles[0]);
      gpu.release(handles[1]);
      fragment.release();
      gpu.trim();
      requireHome(gpu);
      equal(await rejection(env.PagePool.create({ provider, pageBytes: KIB64, pageCount: 2 })), 'POOL_ERR_PROVIDER');
      equal(gpu.stats().provider.owner.areas, 0);
      await gpu.close();
      await host.close();
    },
  ],
  [
    'memory() that is called for the first time after the loss releases at once what waits for the device',
    async (env) => {
      const device = await env.makeDevice();
      const provider = env.webgpu(device);
      const gpu = await env.PagePool.create({ provider, pageBytes: KIB64, pageCount: 4 });
      const handle = gpu.alloc();
      device.destroy();
      await device.lost;
      await until(() => provider.describe().state === 'lost', 'the provider knows');
      const memory = provider.memory(gpu);
      const released = memory.releaseAfter(handle, new Promise(() => {})).then(() => 'released');
      equal(await Promise.race([released, later(2000).then(() => 'waits')]), 'released');
      equal(provider.describe().memories[0].fences, { pending: 0, handles: 0, refused: 0 });
      requireHome(gpu);
      await gpu.close();
    },
  ],
  [
    'a thread that leaves its pool has its references taken back, and what settles later is harmless',
    async (env) => {
      const all = await setUp(env);
      const { gpu, host, memory, device, provider } = all;
      const fence = withResolvers();
      const consumer = memory.consumer();
      const done = memory.releaseAfter(gpu.alloc(), fence.promise);
      const never = memory.releaseAfter(gpu.alloc(), new Promise(() => {}));
      const token = consumer.give(gpu.alloc());
      gpu.detach({ release: true });
      await never; // the pool has the reference back, whatever the fence waits for
      fence.resolve();
      await done;
      equal([consumer.release([token, 1]), consumer.close()], [0, 0]);
      equal(provider.describe().buffers, 0);
      equal(
        codeOf(() => provider.memory(gpu)),
        'POOL_ERR_INVALID_ARGUMENT',
      );
      device.destroy();
      await host.close();
    },
  ],
  [
    'staging buffers are used again, stay below their ceiling, and are mapped only while they are copied from',
    async (env) => {
      const all = await setUp(env, { memory: { stagingBytes: 2 * KIB64 }, host: { pageCount: 3, maxPorts: 2 } });
      const { gpu, host, memory, provider } = all;
      const handles = Array.from({ length: 8 }, () => gpu.alloc());
      const source = host.take();
      for (const [i, handle] of handles.entries()) {
        stamp(source.bytes, i);
        memory.write(handle, source);
      }
      // No host page: copies are submitted, nothing is mapped.
      const hold = [host.take(), host.take()];
      const backs = handles.map((handle) => memory.readback(handle));
      await until(() => stagingOf(provider).submitted === 2 && stagingOf(provider).created === 2, 'two copies wait');
      const { bytes, free, mapping, mapped, waiting } = stagingOf(provider);
      equal(
        { bytes, free, mapping, mapped, waiting },
        { bytes: 2 * KIB64, free: 0, mapping: 0, mapped: 0, waiting: 6 },
      );
      const abort = new AbortController();
      const aborted = memory.readback(handles[0], { signal: abort.signal });
      abort.abort(new Error('enough'));
      equal(await rejection(aborted), 'Error');
      equal(stagingOf(provider).waiting, 6);
      for (const fragment of hold) fragment.release();
      source.release();
      for (const [i, back] of backs.entries()) {
        const fragment = await back;
        equal(isStamped(fragment.bytes, i), true, `page ${i}`);
        fragment.release();
      }
      const end = stagingOf(provider);
      equal([end.created, end.free, end.waiting, end.bytes], [2, 2, 0, 2 * KIB64]);
      // Smaller ones make room for themselves.
      const small = await memory.readback(handles[0], { length: 1000 });
      small.release();
      equal(stagingOf(provider).bytes <= 2 * KIB64, true, 'the ceiling');
      for (const handle of handles) gpu.release(handle);
      requireHome(gpu);
      requireHome(host);
      await tearDown(all);
    },
  ],
  [
    'the statistics follow a staging buffer from submitted to mapping, mapped and free',
    async (env) => {
      const all = await setUp(env, { host: { pageCount: 1, maxPorts: 2 } });
      const { gpu, host, memory, provider } = all;
      const { buffers, handle } = await warmStaging(all);
      const states = () => {
        const { free, submitted, mapping, mapped } = stagingOf(provider);
        return [free, submitted, mapping, mapped];
      };
      equal(states(), [1, 0, 0, 0]);
      const page = host.take();
      const back = memory.readback(handle);
      equal(states(), [0, 1, 0, 0], 'no host page');
      const seen = [];
      buffers[0].onMapping = () => seen.push(states());
      buffers[0].onMapped = () => seen.push(states());
      page.release();
      (await back).release();
      seen.push(states());
      equal(seen, [
        [0, 0, 1, 0],
        [0, 0, 0, 1],
        [1, 0, 0, 0],
      ]);
      gpu.release(handle);
      requireHome(gpu);
      await tearDown(all);
    },
  ],
  ...['mapping', 'mapped'].map((state) => [
    `a readback whose device is lost while its staging buffer is ${state} says so and holds nothing`,
    async (env) => {
      const all = await setUp(env);
      const { gpu, host, memory, device, live } = all;
      const { buffers, handle } = await warmStaging(all);
      if (state === 'mapped') buffers[0].onMapped = () => device.destroy();
      const back = rejection(memory.readback(handle));
      if (state === 'mapping') device.destroy();
      equal(await back, 'POOL_ERR_PROVIDER');
      gpu.release(handle);
      requireHome(gpu);
      requireHome(host);
      await gpu.close();
      await host.close();
      equal(live.size, 0, 'buffers that are left');
    },
  ]),
  [
    'a readback that fails on its way gives its staging buffer back',
    async (env) => {
      const all = await setUp(env, { memory: { stagingBytes: KIB64 }, host: { pageCount: 1, maxPorts: 2 } });
      const { gpu, host, memory, device, provider } = all;
      const handle = gpu.alloc();
      // The copy cannot be submitted.
      const { createCommandEncoder } = device;
      device.createCommandEncoder = () => {
        device.createCommandEncoder = createCommandEncoder;
        throw new RangeError('no encoder');
      };
      equal(await rejection(memory.readback(handle)), 'RangeError');
      equal([stagingOf(provider).free, stagingOf(provider).submitted], [1, 0]);
      // Aborted while a staging buffer is made, and then there is no host page.
      const page = host.take();
      const abort = new AbortController();
      const aborted = rejection(memory.readback(handle, { length: 4, signal: abort.signal }));
      abort.abort(new Error('enough'));
      equal(await Promise.race([aborted, later(2000).then(() => 'waits')]), 'Error');
      equal(stagingOf(provider).submitted, 0);
      page.release();
      // The thread leaves its host pool while the buffer is mapped.
      (await memory.readback(handle)).release();
      const leaving = rejection(memory.readback(handle));
      equal(stagingOf(provider).mapping, 1);
      host.detach({ release: true });
      equal(await leaving, 'POOL_ERR_DESTROYED');
      const { mapping, mapped, submitted } = stagingOf(provider);
      equal([mapping, mapped, submitted], [0, 0, 0]);
      gpu.release(handle);
      requireHome(gpu);
      await gpu.close();
      equal(all.live.size, 0, 'buffers that are left');
      device.destroy();
    },
  ],
  [
    'readbacks that are under way when the device is lost, or when their host closes, fail and hold nothing',
    async (env) => {
      const all = await setUp(env, { memory: { stagingBytes: KIB64 }, host: { pageCount: 1, maxPorts: 2 } });
      const { gpu, host, memory, device } = all;
      const handle = gpu.alloc();
      const page = host.take();
      const backs = [memory.readback(handle), memory.readback(handle), memory.readback(handle)];
      const ends = backs.map(rejection);
      await later(5);
      device.destroy();
      equal(await Promise.all(ends), Array(3).fill('POOL_ERR_PROVIDER'));
      page.release();
      gpu.release(handle);
      requireHome(gpu);
      requireHome(host);
      await gpu.close();
      await host.close();
      const other = await setUp(env, { host: { pageCount: 1, maxPorts: 2 } });
      const own = other.gpu.alloc();
      const kept = other.host.take();
      const back = rejection(other.memory.readback(own));
      await later(5);
      other.host.destroy();
      equal(await back, 'POOL_ERR_CLOSING');
      kept.release();
      other.gpu.release(own);
      requireHome(other.gpu);
      await tearDown(other);
    },
  ],
  [
    'a readback that is under way when its pool closes arrives',
    async (env) => {
      const all = await setUp(env);
      const { gpu, host, memory } = all;
      const source = host.take();
      stamp(source.bytes, 5);
      const handle = memory.upload(source);
      const back = memory.readback(handle);
      gpu.release(handle);
      await gpu.close();
      const fragment = await back;
      equal(isStamped(fragment.bytes, 5), true);
      fragment.release();
      source.release();
      await tearDown(all);
    },
  ],
  [
    'uploads, a compute shader and readbacks create no buffer after warm-up',
    async (env) => {
      const all = await setUp(env);
      const { gpu, host, memory, device, created } = all;
      const double = doubler(device);
      const rounds = 40;
      let warm = 0;
      for (let round = 0; round < rounds; round++) {
        if (round === 3) warm = created.length;
        const input = host.take();
        const words = new Uint32Array(input.bytes.buffer, input.bytes.byteOffset, input.length / 4);
        for (let i = 0; i < words.length; i++) words[i] = round * 1000 + i;
        const [from, to] = [memory.upload(input), gpu.alloc()];
        double(memory.binding(from), memory.binding(to));
        const back = memory.readback(to);
        void memory.afterSubmit([from, to]);
        const output = await back;
        const result = new Uint32Array(output.bytes.buffer, output.bytes.byteOffset, output.length / 4);
        equal(
          result.every((word, i) => word === 2 * words[i]),
          true,
          `round ${round}`,
        );
        input.release();
        output.release();
      }
      equal(created.length, warm, 'buffers created after warm-up');
      await until(() => gpu.audit().pages.used === 0, 'the queue is done');
      requireHome(gpu);
      await tearDown(all);
    },
  ],
  [
    'two pools on one provider have buffers of their own',
    async (env) => {
      const all = await setUp(env);
      const { provider, gpu, memory, host } = all;
      const other = await env.PagePool.create({ provider, pageBytes: KIB64, pageCount: 4 });
      const [one, two] = [gpu.alloc(), other.alloc()];
      const second = provider.memory(other, { host });
      equal(memory.binding(one).buffer === second.binding(two).buffer, false);
      equal(provider.memory(other) === second, true);
      equal(
        codeOf(() => provider.memory(other, { host })),
        'POOL_ERR_INVALID_ARGUMENT',
      );
      equal(
        codeOf(() => provider.memory(host)),
        'POOL_ERR_INVALID_ARGUMENT',
      );
      other.release(two);
      await other.close();
      gpu.release(one);
      await tearDown(all);
    },
  ],
  [
    'another thread holds, allocates, sends and releases the numbers, and is told who can resolve them',
    async (env) => {
      const all = await setUp(env, { pool: { channels: { work: {}, back: {} } }, webgpu: { bufferBytes: KIB64 } });
      const { gpu, host, memory } = all;
      const source = host.take();
      stamp(source.bytes, 9);
      const handle = memory.upload(source);
      gpu.channel('work').send(handle, 0, KIB64);
      const found = await env.runThread(gpu.share());
      equal([found.isReadable, found.extent], [false, KIB64]);
      const texts = [
        /^POOL_ERR_UNREADABLE: .*thread that has the device/,
        /^POOL_ERR_UNREADABLE: .*thread that has the device/,
        /^POOL_ERR_INVALID_ARGUMENT: memory failed: .*GPUBuffers cannot be posted/,
        /^POOL_ERR_NOT_DETACHABLE/,
      ];
      equal(
        found.refusals.map((text, i) => texts[i].test(text)),
        [true, true, true, true],
        found.refusals.join('\n'),
      );
      const back = gpu.channel('back');
      const [own, same] = [back.receive(), back.receive()];
      equal([own.tag, same.tag, same.handle === handle], [2, 1, true]);
      equal(memory.binding(own.handle).size, KIB64, 'what the thread allocated');
      const fragment = await memory.readback(same.handle);
      equal(isStamped(fragment.bytes, 9), true, 'what came back');
      for (const each of [own, same, fragment, source]) each.release();
      requireHome(gpu);
      await tearDown(all);
    },
  ],
  [
    'the conformance suite of providers passes',
    async (env) => {
      const device = await env.makeDevice();
      const sizes = { pageBytes: KIB64, pageCount: 16 };
      await env.testProvider(() => env.webgpu(device), sizes);
      await env.testProvider(() => env.webgpu(device, { bufferBytes: 4 * KIB64 }), sizes);
      await env.testProvider(() => env.webgpu(device, { bufferBytes: 3 * KIB64, keepBytes: 0 }), sizes);
      device.destroy();
    },
  ],
];

function throwingThenable() {
  return Object.defineProperty({}, 'then', {
    value: () => {
      throw new Error('no promise');
    },
  });
}

function withResolvers() {
  const result = {};
  result.promise = new Promise((resolve, reject) => Object.assign(result, { resolve, reject }));
  return result;
}

/** Submits a shader that doubles words, from one binding to the other; both may lie in one buffer, so both can be written. */
export function doubler(device) {
  const module = device.createShaderModule({
    code: `@group(0) @binding(0) var<storage, read_write> input: array<u32>;
      @group(0) @binding(1) var<storage, read_write> output: array<u32>;
      @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
        if (id.x < arrayLength(&input)) { output[id.x] = 2 * input[id.x]; }
      }`,
  });
  const pipeline = device.createComputePipeline({ layout: 'auto', compute: { module } });
  return (input, output) => {
    const group = device.createBindGroup({
      layout: pipeline.getBindGroupLayout(0),
      entries: [input, output].map((resource, binding) => ({ binding, resource })),
    });
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(Math.ceil(input.size / 256));
    pass.end();
    device.queue.submit([encoder.finish()]);
  };
}
