// userArea through the suite that every provider goes through.

import { testProvider } from 'pagepool/testing';
import { userArea } from 'pagepool/user-area';
import { describe, it } from 'vitest';

const host = { describe, it };
const PAGES = 64;
const AROUND = 4096;

void testProvider(() => userArea(new SharedArrayBuffer(PAGES * 4096)), { host, pageCount: PAGES });
void testProvider(
  () => {
    const memory = new WebAssembly.Memory({ initial: 8, maximum: 8, shared: true });
    return userArea(memory, { byteOffset: AROUND, byteLength: PAGES * 1024 });
  },
  { host, name: "user-area in another module's memory", pageBytes: 1024, pageCount: PAGES },
);
