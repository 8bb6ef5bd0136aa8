import type { MemoryProvider } from './provider.js';
export function slabs(): MemoryProvider {
  throw new Error('todo');
}
