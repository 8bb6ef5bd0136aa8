// The memory of a new pool: each kind, the next lesser one where the platform has few addresses left, and the refusal.

import { beforeEach, describe, expect, it, vi } from 'vitest';
import { createMemory } from '../../src/control/create-memory.js';
import { planGeometry, totalBytesOf } from '../../src/control/geometry.js';
import { loadTypeScript } from '../../src/engine/loaded.js';
import { createTypeScriptEngine } from '../../src/engine/typescript.js';
import type { MemoryKind } from '../../src/platform/capabilities.js';
import { resolveOptions } from '../../src/pool/options.js';
import { codeOf } from '../support/realm.js';

const spare = vi.hoisted(() => ({ bytes: Infinity }));
vi.mock('../../src/platform/addresses.js', async (original) => ({
  ...(await original<object>()),
  spareAddresses: () => spare.bytes,
}));

const geometry = planGeometry(resolveOptions('create', { pageCount: 64, maxPorts: 2 }));
const bytes = totalBytesOf(geometry);
const WASM_BYTES = 10 * 2 ** 30;

/** The class of what a new pool's memory is in. */
function made(kind: MemoryKind, spareBytes: number, engine?: 'auto' | 'wasm' | 'typescript'): string {
  spare.bytes = spareBytes;
  const memory = createMemory('create', geometry, kind, 1, engine);
  return `${memory.wasm === undefined ? '' : 'Memory of '}${memory.u32.buffer.constructor.name}`;
}

loadTypeScript(createTypeScriptEngine);

beforeEach(() => {
  spare.bytes = Infinity;
});

describe('createMemory', () => {
  it.each<[MemoryKind, number, string]>([
    ['wasm', Infinity, 'Memory of SharedArrayBuffer'],
    ['wasm', WASM_BYTES, 'Memory of SharedArrayBuffer'],
    ['wasm', WASM_BYTES - 1, 'SharedArrayBuffer'],
    ['wasm', bytes, 'SharedArrayBuffer'],
    ['shared-buffer', Infinity, 'SharedArrayBuffer'],
    ['shared-buffer', bytes, 'SharedArrayBuffer'],
    ['local', Infinity, 'Memory of ArrayBuffer'],
    ['local', WASM_BYTES, 'Memory of ArrayBuffer'],
    ['local', WASM_BYTES - 1, 'ArrayBuffer'],
    ['local', 0, 'ArrayBuffer'],
  ])('%s with %i bytes of addresses left', (kind, spareBytes, expected) => {
    expect(made(kind, spareBytes, 'auto')).toBe(expected);
  });

  it.each<[MemoryKind, number, 'auto' | 'wasm']>([
    ['wasm', WASM_BYTES - 1, 'wasm'],
    ['wasm', bytes - 1, 'auto'],
    ['shared-buffer', bytes - 1, 'auto'],
    ['local', WASM_BYTES - 1, 'wasm'],
  ])('%s is refused with %i bytes of addresses left and the engine %s', (kind, spareBytes, engine) => {
    expect(codeOf(() => made(kind, spareBytes, engine))).toBe('POOL_ERR_MEMORY_LIMIT');
  });
});
