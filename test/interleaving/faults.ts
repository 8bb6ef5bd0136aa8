// Faults that the explorer must find: one place of the shipped code each, broken the way such code is broken in practice.

import type { Patch } from './build-model.js';

/** A fault and the scenario that shows it. */
export interface SeededFault {
  readonly name: string;
  readonly patch: Patch;
  readonly scenario: string;
}

export const seededFaults: readonly SeededFault[] = [
  {
    name: 'the page count goes down by load and store',
    patch: {
      file: 'refcount.ts',
      find: 'const seen = acas(counter, references, references - 1);',
      replace: 'const seen = references;\n      astore(counter, references - 1);',
    },
    scenario: 'last release against last release',
  },
  {
    name: 'a release that reads 1 after a lost exchange does not take the page home',
    patch: {
      file: 'refcount.ts',
      find: 'if (seen == references) {\n        store',
      replace: 'if (seen == references || seen == 1) {\n        store',
    },
    scenario: 'last release against last release',
  },
  {
    name: 'the holders of a fragment go down by load and store',
    patch: {
      file: 'refcount.ts',
      find: 'const seen = acas(wordAddress(unit), word, word - 1);',
      replace: 'const seen = word;\n      astore(wordAddress(unit), word - 1);',
    },
    scenario: 'last release against last release against last release',
  },
  {
    name: 'retain raises the page count by load and store',
    patch: {
      file: 'refcount.ts',
      find: 'const before = aadd(counter, references);',
      replace: 'const before = aload(counter);\n  astore(counter, before + references);',
    },
    scenario: 'retain and two releases against last release',
  },
  {
    name: 'a fragment page is left by load and store',
    patch: {
      file: 'fragment.ts',
      find: 'if (acas(descriptor + DESCRIPTOR_COUNT_OFFSET, references, references - (BIAS - users)) == references) break;',
      replace: 'astore(descriptor + DESCRIPTOR_COUNT_OFFSET, references - (BIAS - users));\n    if (users != 0) break;',
    },
    scenario: 'bias drain against release, the page reused in place',
  },
  {
    name: 'nodes are exchanged by load and store',
    patch: {
      file: 'ring.ts',
      find: 'if (acas(address, seen, next) != seen) {\n    recordDone();\n    return false;\n  }',
      replace: 'if (aload(address) != seen) {\n    recordDone();\n    return false;\n  }\n  acas(address, seen, next);',
    },
    scenario: 'two spills, wrap of lap and position',
  },
  {
    name: 'the tail moves on before the slot is filled',
    patch: {
      file: 'ring.ts',
      find:
        'if (!exchange(ring, slot, w, (lap << lapShift) | full | load<u32>(holder), holder)) continue;\n' +
        "      // X3 pairs with A2 in ringPush: the entry is visible before the tail moves past it; also fences the node's owner.\n" +
        '      acas(ring + RING_TAIL_OFFSET, t, next);',
      replace:
        'acas(ring + RING_TAIL_OFFSET, t, next);\n' +
        '      if (!exchange(ring, slot, w, (lap << lapShift) | full | load<u32>(holder), holder)) continue;',
    },
    scenario: 'a sender that receives against a sender, capacity 2',
  },
  {
    name: 'a pusher waits for another one to move the tail on',
    patch: {
      file: 'ring.ts',
      find: 'its pusher has not moved the tail.\n    acas(ring + RING_TAIL_OFFSET, t, next);',
      replace: '',
    },
    scenario: 'two spills, wrap of lap and position',
  },
  {
    name: 'a receiver takes any filled slot, whatever its lap',
    patch: {
      file: 'ring.ts',
      find: 'if (w >>> lapShift == lap) {',
      replace: 'if (w >>> lapShift == lap || (w & full) != 0) {',
    },
    scenario: 'a sender against two receivers, capacity 1',
  },
  {
    name: 'a spilled spare magazine is overwritten instead of exchanged',
    patch: {
      file: 'cache.ts',
      find: 'if (!exchange(ring, spare, seen, next, port + PORT_LOADED_OFFSET)) return false;',
      replace:
        'if (spare != port + PORT_SPARE_OFFSET) {\n' +
        '    if (!exchange(ring, spare, seen, next, port + PORT_LOADED_OFFSET)) return false;\n' +
        '  } else {\n' +
        '    store<u32>(port + PORT_LOADED_OFFSET, seen & ((<u32>1 << nodeBits) - 1));\n' +
        '    astore(spare, next);\n' +
        '  }',
    },
    scenario: 'spare taken by a starving port against its owner',
  },
  {
    name: 'LEFT is set by a store',
    patch: {
      file: 'pin.ts',
      find: 'if (acas(word, seen, seen | PIN_LEFT) == seen) {',
      replace: 'astore(word, seen | PIN_LEFT);\n    if (seen != 0) {',
    },
    scenario: 'unpin against last release',
  },
  {
    name: 'an unpin goes down by load and store',
    patch: {
      file: 'pin.ts',
      find: 'if (acas(word, seen, seen - 1) == seen) return OK;',
      replace: 'astore(word, seen - 1);\n    if (seen != 0) return OK;',
    },
    scenario: 'two unpins against last release',
  },
  {
    name: 'a token is claimed by load and store',
    patch: {
      file: 'token.ts',
      find: 'return acas(token, seen, mark(seen, TOKEN_TAKING)) == seen ? seen : 0;',
      replace: 'astore(token, mark(seen, TOKEN_TAKING));\n  return seen;',
    },
    scenario: 'token adopted twice',
  },
  {
    name: 'the hint of the retired bits is moved on without a look at what was retired meanwhile',
    patch: {
      file: 'supply.ts',
      find: 'acas(hint, seen, ((seen >>> RETIRED_INDEX_BITS) << RETIRED_INDEX_BITS) | index);',
      replace: 'aand(hint, 0);\n  aor(hint, ((seen >>> RETIRED_INDEX_BITS) << RETIRED_INDEX_BITS) | index);',
    },
    scenario: 'a look for retired pages against retire',
  },
  {
    name: 'a retired page loses its bit after the look at its state',
    patch: {
      file: 'supply.ts',
      find:
        'if (state == HOME_RETIRED) aand(retiredWord(page), ~((<u32>1) << (page & 31)));\n' +
        '  // A1 pairs with X4 in retire: whoever retired the page is done with it.\n' +
        '  const seen = aload(descriptor + DESCRIPTOR_HOME_OFFSET);',
      replace:
        'const seen = aload(descriptor + DESCRIPTOR_HOME_OFFSET);\n' +
        '  if (state == HOME_RETIRED) aand(retiredWord(page), ~((<u32>1) << (page & 31)));',
    },
    scenario: 'a retired page taken, used and retired again against a look for it',
  },
  {
    name: 'a fresh page is claimed by load and store',
    patch: {
      file: 'supply.ts',
      find:
        'if ((seen & HOME_STATE_MASK) == state && ' +
        'acas(descriptor + DESCRIPTOR_HOME_OFFSET, seen, next) == seen) {',
      replace:
        'if ((seen & HOME_STATE_MASK) == state) {\n    aand(descriptor + DESCRIPTOR_HOME_OFFSET, 0);\n' +
        '    aor(descriptor + DESCRIPTOR_HOME_OFFSET, next);',
    },
    scenario: 'fresh claim against fresh claim',
  },
  {
    name: 'a message goes as far as there is room',
    patch: { file: 'channel.ts', find: 'const need: u32 = more != 0 ? count : 1;', replace: 'const need: u32 = 1;' },
    scenario: 'a message against a channel that has room for one entry',
  },
  {
    name: 'the mark of a message that was refused stays in the outbox',
    patch: {
      file: 'channel.ts',
      find: 'recordDone();\n  store<u32>(node + NODE_MORE_OFFSET, 0);',
      replace: 'recordDone();',
    },
    scenario: 'two senders of a message and of single entries, room for one',
  },
];
