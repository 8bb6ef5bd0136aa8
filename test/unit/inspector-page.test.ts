// Figures and recordings of the inspector's page, and the ticks of its plots, without a browser.

import { PagePool } from 'pagepool';
import { observe } from 'pagepool/inspect';
import { expect, it } from 'vitest';
import { bytes } from '../../src/inspector/page/dom.js';
import { History } from '../../src/inspector/page/history.js';
import { Player, Recorder, readRecording } from '../../src/inspector/page/recorder.js';
import { ageText, BINARY, DECIMAL, timeTicks, valueTicks } from '../../src/inspector/page/ticks.js';
import { type Frame, type Look, packMap } from '../../src/inspector/wire.js';

it('hand-offs are entries and calls: the tile has the sum of what the plot shows', async () => {
  const pool = PagePool.createSync({ pageCount: 32, channels: { work: {} }, calls: { ask: {} } }) as PagePool<never>;
  const observer = observe(pool);
  const history = new History();
  const look = (): Look => ({ ...observer.snapshot(), at: 0, lints: [], holders: [], leaks: [], events: [] });
  history.add(look());
  const figures = history.add({
    ...look(),
    rates: { ...(look().rates as NonNullable<Look['rates']>), channels: [rate({ received: 3 })], calls: [answered(4)] },
  });
  expect(figures.handOffs).toBe(7);
  const last = (column: string) => history.columns.get(column)?.at(-1);
  expect([last('channel work'), last('calls ask')]).toEqual([3, 4]);
  await pool.close();
});

it('what the plots show begins anew after clear(), with a column for each name that came since', async () => {
  const pool = PagePool.createSync({ pageCount: 32, channels: { work: {} }, calls: { ask: {} } }) as PagePool<never>;
  const observer = observe(pool);
  const history = new History();
  const look = (atMs: number, more: Partial<Look> = {}): Look => {
    const snapshot = observer.snapshot();
    return { ...snapshot, atMs, at: atMs, lints: [], holders: [], leaks: [], events: [], ...more };
  };
  const allocate = (atMs: number): Look => {
    for (let i = 0; i < 10; i++) pool.release(pool.alloc());
    return look(atMs);
  };
  history.add(look(1000, { calls: [], rates: null }));
  expect(history.columns.has('calls ask')).toBe(false);
  expect(history.add(allocate(2000)).ports[0]?.allocated).toBe(10);
  expect(history.columns.get('calls ask')).toEqual([null, 0]); // it came with the second look
  expect(new Set([...history.columns.values()].map(({ length }) => length))).toEqual(new Set([2]));
  history.clear();
  expect([history.at, history.columns.size, history.figures]).toEqual([[], 0, null]);
  // The look before is of another moment: nothing is a change against it.
  expect(history.add(allocate(3000)).ports[0]).toMatchObject({ allocated: 0, taken: 0 });
  expect(history.at).toEqual([3]);
  await pool.close();
});

it('a recording begins with the whole map, wherever it is begun, and each look of it can be gone to', async () => {
  const pool = PagePool.createSync({ pageCount: 32, maxPorts: 2 }) as PagePool<never>;
  const observer = observe(pool);
  const held: number[] = [];
  let before: Look['map'] | null = null;
  const looks: Look[] = [];
  const recorder = new Recorder();
  for (let i = 0; i < 6; i++) {
    held.push(pool.alloc());
    const look = { ...observer.snapshot(), at: 10 * i, lints: [], holders: [], leaks: [], events: [] } as Look;
    // As they come: the first whole, the others as changes.
    const frame = { ...look, map: packMap(look.map, before) } as Frame;
    before = look.map;
    recorder.add(frame, look); // is not kept until it is begun
    if (i === 1) recorder.start();
    if (i > 1) looks.push(look);
  }
  expect([recorder.isRecording, recorder.isFull, recorder.count]).toEqual([true, false, 4]);
  const recording = readRecording(JSON.stringify(recorder.stop()));
  expect(recorder.isRecording).toBe(false);
  expect(recording.frames.map(({ map }) => map.isWhole)).toEqual([true, false, false, false]);
  const player = new Player(recording);
  expect([player.length, player.timeOf(2), player.timeOf(9)]).toEqual([4, 40, 0]);
  const went = (frame: number) => {
    const { isAnew, looks: shown } = player.goTo(frame);
    expect(player.at).toBe(frame);
    expect(shown.at(-1)?.map).toEqual(looks[frame]?.map);
    return [isAnew, shown.map(({ at }) => at)];
  };
  expect(went(0)).toEqual([false, [20]]);
  expect(went(2)).toEqual([false, [30, 40]]);
  expect(went(3)).toEqual([false, [50]]);
  expect(went(1)).toEqual([true, [20, 30]]);
  expect(went(1)).toEqual([true, [20, 30]]); // shown again
  for (const handle of held) pool.release(handle);
  await pool.close();
});

it('a recording is full at 256 MiB of maps, and keeps no frame behind that', () => {
  const recorder = new Recorder();
  const look = { map: { places: new Uint8Array(3), owners: new Uint8Array(3) } } as unknown as Look;
  const frameOf = (length: number): Frame => ({ map: { isWhole: false, base64: { length } } }) as never;
  const first = packMap(look.map, null).base64.length + 4096; // the first is packed anew, whatever it is
  const last = 256 * 2 ** 20 - first - 4096;
  for (const [length, isFull] of [
    [last - 1, false],
    [last, true],
  ] as const) {
    recorder.start();
    recorder.add(frameOf(2 ** 30), look);
    recorder.add(frameOf(length), look);
    expect([recorder.isFull, recorder.count]).toEqual([isFull, 2]);
    recorder.add(frameOf(1), look);
    expect([recorder.isFull, recorder.count]).toEqual([true, isFull ? 2 : 3]);
    recorder.stop();
  }
  expect(recorder.count).toBe(0);
  recorder.start();
  expect([recorder.isFull, recorder.count]).toEqual([false, 0]);
});

it.each([
  ['{', 'not JSON'],
  ['null', 'not a recording'],
  ['{"kind":"pagepool recording","version":1}', 'not a recording'],
  ['{"kind":"pagepool recording","version":2,"frames":[]}', 'version 2; this page reads version 1'],
  ['{"kind":"pagepool recording","version":1,"frames":[]}', 'has no beginning'],
  ['{"kind":"pagepool recording","version":1,"frames":[{"map":{"isWhole":false}}]}', 'has no beginning'],
])('%s is no recording, and says why', (text, reason) => expect(() => readRecording(text)).toThrow(reason));

const rate = ({ received }: { received: number }) => ({ sent: 9, received, dropped: 0 });
const answered = (count: number) => ({ asked: 9, answered: count });

it.each([
  [0, [0, 1]],
  [1, [0, 1]],
  [3, [0, 1, 2, 3]],
  [3.1, [0, 2, 4]],
  [368, [0, 200, 400]],
  [4674, [0, 2000, 4000, 6000]],
])('values up to %d have the ticks %j', (max, ticks) => expect(valueTicks(max, DECIMAL)).toEqual(ticks));

it('the last tick is no lower than the largest value, and is its own range', () => {
  for (const distances of [DECIMAL, BINARY]) {
    for (let max = 0; max < 1e12; max = 1.37 * max + 0.3) {
      const ticks = valueTicks(max, distances);
      expect(ticks.at(-1), String(max)).toBeGreaterThanOrEqual(max);
      expect(ticks.length, String(max)).toBeLessThanOrEqual(4);
      expect(valueTicks(ticks.at(-1) as number, distances), String(max)).toEqual(ticks);
    }
  }
});

it('times have round ages up to now', () => {
  const ages = (first: number, last: number) => timeTicks(first, last).map((at) => ageText(last - at));
  expect(ages(1000.4, 1060.4)).toEqual(['60 s', '40 s', '20 s', 'now']);
  expect(ages(1000.4, 1073.9)).toEqual(['60 s', '40 s', '20 s', 'now']);
  expect(ages(0, 150)).toEqual(['2.5 min', '2 min', '90 s', '60 s', '30 s', 'now']);
  expect(ages(0, 299.8)).toEqual(['4 min', '3 min', '2 min', '60 s', 'now']);
});

it.each([
  [0, '0 B'],
  [1023, '1023 B'],
  [1024, '1 KiB'],
  [1536, '1.5 KiB'],
  [2 ** 20, '1 MiB'],
  [2 ** 30 - 1, '1024 MiB'],
  [2 ** 30, '1 GiB'],
  [2 ** 40, '1024 GiB'],
  [2 ** 50, '1048576 GiB'],
])('%d bytes are shown as %s', (value, text) => expect(bytes(value)).toBe(text));
