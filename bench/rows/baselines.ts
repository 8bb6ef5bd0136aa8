// 00 baselines: what a thread pays before any pool is there. They say what the other rows can be compared with at best.

import { type Other, REPEAT, type Row, SMALL, sink } from './row.js';

/** (module (func (export "same") (param i32) (result i32) local.get 0)) */
const SAME_WASM = Uint8Array.of(
  ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00], // magic, version
  ...[0x01, 0x06, 0x01, 0x60, 0x01, 0x7f, 0x01, 0x7f], // one type: i32 -> i32
  ...[0x03, 0x02, 0x01, 0x00], // one function of it
  ...[0x07, 0x08, 0x01, 0x04, 0x73, 0x61, 0x6d, 0x65, 0x00, 0x00], // exported as "same"
  ...[0x0a, 0x06, 0x01, 0x04, 0x00, 0x20, 0x00, 0x0b], // local.get 0
);

function baseline(id: string, name: string, prepare: Other['prepare'], more: Partial<Row> = {}): Row {
  return {
    id: `baseline.${id}`,
    group: 'baseline',
    name,
    per: 'turn',
    repeat: REPEAT,
    others: { baseline: { prepare } },
    ...more,
  };
}

/** The control: what it shows is the measuring's own. */
export const emptyLoop: Row = baseline(
  'loop',
  'empty loop',
  () => () => {
    for (let i = 0; i < REPEAT; i++) sink.sum = (sink.sum + i) & SMALL;
  },
  { garbageOperations: 10_000_000, note: 'The empty loop adds to one number: it is the control of every other row.' },
);

export const baselineRows: readonly Row[] = [
  emptyLoop,
  baseline('call', 'call from JavaScript into Wasm', () => {
    const { same } = new WebAssembly.Instance(new WebAssembly.Module(SAME_WASM)).exports as {
      same(value: number): number;
    };
    return () => {
      for (let i = 0; i < REPEAT; i++) sink.sum = (sink.sum + same(i)) & SMALL;
    };
  }),
  baseline('add', 'Atomics.add on a shared word', () => {
    const words = new Int32Array(new SharedArrayBuffer(64));
    return () => {
      for (let i = 0; i < REPEAT; i++) Atomics.add(words, 0, 1);
    };
  }),
  baseline('exchange', 'Atomics.compareExchange that succeeds', () => {
    const words = new Int32Array(new SharedArrayBuffer(64));
    return () => {
      const first = Atomics.load(words, 0);
      for (let i = 0; i < REPEAT; i++) Atomics.compareExchange(words, 0, (first + i) | 0, (first + i + 1) | 0);
    };
  }),
  baseline('view', 'new Uint8Array on 2 KiB of shared memory', () => {
    const memory = new SharedArrayBuffer(1 << 20);
    return () => {
      for (let i = 0; i < REPEAT; i++) sink.kept = new Uint8Array(memory, (i & 511) * 2048, 2048);
    };
  }),
];
