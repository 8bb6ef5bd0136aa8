// How figures are written, on the terminal and in the documents.

import type { Garbage } from './results.js';

export function formatCollections({ collections, operations }: Garbage): string {
  if (collections === 0) return '0';
  return ((1e6 * collections) / operations).toFixed(2);
}

export function formatHeap({ heapBytesPerOperation }: Garbage): string {
  if (heapBytesPerOperation === null) return '';
  return Math.abs(heapBytesPerOperation) < 0.05 ? '0' : heapBytesPerOperation.toFixed(1);
}

/** 2048 -> "2 KiB". */
export function sizeName(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  return bytes < 1 << 20 ? `${bytes / 1024} KiB` : `${bytes / (1 << 20)} MiB`;
}

/** Three figures or so. */
export function formatNs(value: number): string {
  if (value >= 1000) return Math.round(value).toLocaleString('en');
  return value.toFixed(value >= 100 ? 0 : value >= 10 ? 1 : 2);
}
