// Faults that the explorer must find: one place of the shipped code each, broken the way such code is broken in
// practice.

import type { Fault } from './engines.js';

/** A fault and the scenario that shows it. */
export interface SeededFault {
  readonly name: string;
  readonly fault: Fault;
  readonly scenario: string;
  /** Deaths that the shipped recovery reaps meanwhile; none: the scenario as it is. */
  readonly kills?: number;
  /** Preemptions, with `kills`. */
  readonly bound?: number;
}

const wasmFaults: readonly SeededFault[] = [
  {
    name: 'the page count goes down by load and store',
    fault: {
      file: 'assembly/refcount.ts',
      find: 'const seen = acas(counter, references, references - 1);',
      replace: 'const seen = references;\n      astore(counter, references - 1);',
    },
    scenario: 'last release against last release',
  },
  {
    name: 'a release that reads 1 after a lost exchange does not take the page home',
    fault: {
      file: 'assembly/refcount.ts',
      find: 'if (seen == references) {\n        store',
      replace: 'if (seen == references || seen == 1) {\n        store',
    },
    scenario: 'last release against last release',
  },
  {
    name: 'the holders of a fragment go down by load and store',
    fault: {
      file: 'assembly/refcount.ts',
      find: 'const seen = acas(wordAddress(unit), word, word - 1);',
      replace: 'const seen = word;\n      astore(wordAddress(unit), word - 1);',
    },
    scenario: 'last release against last release against last release',
  },
  {
    name: 'retain raises the page count by load and store',
    fault: {
      file: 'assembly/refcount.ts',
      find: 'const before = aadd(counter, references);',
      replace: 'const before = aload(counter);\n  astore(counter, before + references);',
    },
    scenario: 'retain and two releases against last release',
  },
  {
    name: 'retain reads the word before the count',
    fault: {
      file: 'assembly/refcount.ts',
      find: 'const total = aload(counter);\n  // N12 no ordering needed: where the count is not the row, the exchange decides.\n  let word = rload(wordAddress(unit));',
      replace: 'let word = rload(wordAddress(unit));\n  const total = aload(counter);',
    },
    scenario: 'retain and two releases against last release',
  },
  {
    name: 'a release reads the word before the count',
    fault: {
      file: 'assembly/refcount.ts',
      find:
        'const references = aload(descriptorAddress(page) + DESCRIPTOR_COUNT_OFFSET);\n' +
        '  // N18 no ordering needed: as N1; where the count is not the row, the exchange decides.\n' +
        '  const word = rload(wordAddress(unit));',
      replace:
        'const word = rload(wordAddress(unit));\n' +
        '  const references = aload(descriptorAddress(page) + DESCRIPTOR_COUNT_OFFSET);',
    },
    scenario: 'last release against last release',
  },
  {
    name: 'a fragment page is left by load and store',
    fault: {
      file: 'assembly/fragment.ts',
      find: 'if (acas(descriptor + DESCRIPTOR_COUNT_OFFSET, references, references - (BIAS - users)) == references) break;',
      replace: 'astore(descriptor + DESCRIPTOR_COUNT_OFFSET, references - (BIAS - users));\n    if (users != 0) break;',
    },
    scenario: 'bias drain against release, the page reused in place',
  },
  {
    name: 'nodes are exchanged by load and store',
    fault: {
      file: 'assembly/ring.ts',
      find: 'if (acas(address, seen, next) != seen) {\n    recordDone();\n    return false;\n  }',
      replace: 'if (aload(address) != seen) {\n    recordDone();\n    return false;\n  }\n  acas(address, seen, next);',
    },
    scenario: 'two spills, wrap of lap and position',
  },
  {
    name: 'the tail moves on before the slot is filled',
    fault: {
      file: 'assembly/ring.ts',
      find: '  if (!exchange(ring, slot, w, ((state | 1) << nodeBits) | load<u32>(holder), holder)) return AGAIN;',
      replace:
        '  if (isPublished) acas(ring + RING_TAIL_OFFSET, tail, next);\n' +
        '  if (!exchange(ring, slot, w, ((state | 1) << nodeBits) | load<u32>(holder), holder)) return AGAIN;',
    },
    scenario: 'a sender that receives against a sender, capacity 2',
  },
  {
    name: 'whoever finds a hint behind waits for another one to move it on',
    fault: {
      file: 'assembly/ring.ts',
      find: '    hint = following(hint, index, indexBits, slotCount, stateMask >>> 1);',
      replace: '    hint = aload(ring + offset);',
    },
    scenario: 'two spills, wrap of lap and position',
  },
  {
    name: 'a receiver takes any filled slot, whatever its lap',
    fault: {
      file: 'assembly/ring.ts',
      find: '  const age = ((w >>> nodeBits) - state) & stateMask;',
      replace:
        '  const age = ((w >>> nodeBits) - state) & stateMask;\n' +
        '  if (((w >>> nodeBits) & 1) != 0 && holder != 0)\n' +
        '    return exchange(ring, slot, w, ((state + 2) << nodeBits) | load<u32>(holder), holder) ? OK : AGAIN;',
    },
    scenario: 'a sender against two receivers, capacity 1',
  },
  {
    name: 'a hint of the own tail is used without a look at the position before it',
    fault: {
      file: 'assembly/ring.ts',
      find: 'const before = aload(previous);',
      replace: 'const before = (state + 1 - ((<u32>isFirst) << 1)) << nodeBits;',
    },
    scenario: 'a hint of the tail from before the laps went round, against a send',
  },
  {
    name: 'a hint of the own head is used without a look at the position before it',
    fault: {
      file: 'assembly/ring.ts',
      find: 'const before = aload(isFirst ? slot + ((<usize>(slotCount - 1)) << 2) : slot - 4);',
      replace: 'const before = (state + 2 - ((<u32>isFirst) << 1)) << nodeBits;',
    },
    scenario: 'a hint of the head from before the laps went round, against a send',
  },
  {
    name: 'a channel is full where its hint says so',
    fault: {
      file: 'assembly/ring.ts',
      find: '  if (isFull && !replace) return FULL;',
      replace: '  if ((isFull || t - aload(ring + RING_HEAD_OFFSET) > slotCount) && !replace) return FULL;',
    },
    scenario: 'a receive and a send against a receive, full, hints behind',
  },
  {
    name: 'a channel is empty where its hint says so',
    fault: {
      file: 'assembly/ring.ts',
      find: '  if (age == 0) return EMPTY;',
      replace: '  if (age == 0 || h == aload(ring + RING_TAIL_OFFSET)) return EMPTY;',
    },
    scenario: 'a send and a receive against a send, empty, hints behind',
  },
  {
    name: 'an entry is taken back out of the node that it was sent in, whoever has that by then',
    fault: {
      file: 'assembly/ring.ts',
      find: '    if (aload(only + NODE_OWNER_OFFSET) != portId + 1) return EMPTY;\n',
      replace: '',
    },
    scenario: 'send against its node in the hands of another sender, and a close',
  },
  {
    name: 'a spilled spare magazine is overwritten instead of exchanged',
    fault: {
      file: 'assembly/cache.ts',
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
    fault: {
      file: 'assembly/pin.ts',
      find: 'if (acas(word, seen, seen | PIN_LEFT) == seen) {',
      replace: 'astore(word, seen | PIN_LEFT);\n    if (seen != 0) {',
    },
    scenario: 'unpin against last release',
  },
  {
    name: 'an unpin goes down by load and store',
    fault: {
      file: 'assembly/pin.ts',
      find: 'if (acas(word, seen, seen - 1) == seen) return OK;',
      replace: 'astore(word, seen - 1);\n    if (seen != 0) return OK;',
    },
    scenario: 'two unpins against last release',
  },
  {
    name: 'a token is claimed by load and store',
    fault: {
      file: 'assembly/token.ts',
      find: 'return acas(token, seen, mark(seen, TOKEN_TAKING)) == seen ? seen : 0;',
      replace: 'astore(token, mark(seen, TOKEN_TAKING));\n  return seen;',
    },
    scenario: 'token adopted twice',
  },
  {
    name: 'the hint of the retired bits is moved on without a look at what was retired meanwhile',
    fault: {
      file: 'assembly/supply.ts',
      find: '  acas(hint, seen, ((seen >>> RETIRED_INDEX_BITS) << RETIRED_INDEX_BITS) | index);\n}\n\n/** Makes',
      replace:
        '  aand(hint, 0);\n  aor(hint, ((seen >>> RETIRED_INDEX_BITS) << RETIRED_INDEX_BITS) | index);\n}\n\n/** Makes',
    },
    scenario: 'a look for retired pages against retire',
  },
  {
    name: 'a retired page loses its bit after the look at its state',
    fault: {
      file: 'assembly/supply.ts',
      find:
        'if (listed) aand(bitsOf(supplyBits, page), ~((<u32>1) << (page & 31)));\n' +
        '  // A1 pairs with X4 in retire: whoever retired the page is done with it.\n' +
        '  const seen = aload(descriptor + DESCRIPTOR_HOME_OFFSET);',
      replace:
        'const seen = aload(descriptor + DESCRIPTOR_HOME_OFFSET);\n' +
        '  if (listed) aand(bitsOf(supplyBits, page), ~((<u32>1) << (page & 31)));',
    },
    scenario: 'a retired page taken, used and retired again against a look for it',
  },
  {
    name: 'a fresh page is claimed by load and store',
    fault: {
      file: 'assembly/supply.ts',
      find: 'if (isSupply(seen) && ' + 'acas(descriptor + DESCRIPTOR_HOME_OFFSET, seen, next) == seen) {',
      replace:
        'if (isSupply(seen)) {\n    aand(descriptor + DESCRIPTOR_HOME_OFFSET, 0);\n' +
        '    aor(descriptor + DESCRIPTOR_HOME_OFFSET, next);',
    },
    scenario: 'fresh claim against fresh claim',
  },
  {
    name: 'a message goes as far as there is room',
    fault: {
      file: 'assembly/channel.ts',
      find: 'const need: u32 = more != 0 ? count : 1;',
      replace: 'const need: u32 = 1;',
    },
    scenario: 'a message against a channel that has room for one entry',
  },
  {
    name: 'the mark of a message that was refused stays in the outbox',
    fault: {
      file: 'assembly/channel.ts',
      find: 'recordDone();\n  empty(node);\n}',
      replace: 'recordDone();\n}',
    },
    scenario: 'two senders of a message and of single entries, room for one',
  },
  {
    name: 'a call is answered by load and store',
    fault: {
      file: 'assembly/call.ts',
      find: 'if (acas(place, own, mark(call, handle == 0 ? REPLY_FAILED : REPLY_ANSWERED)) == own) {',
      replace: 'astore(place, mark(call, handle == 0 ? REPLY_FAILED : REPLY_ANSWERED));\n    if (own != 0) {',
    },
    scenario: 'answer against cancel',
  },
  {
    name: 'who answers rings first, and answers then',
    fault: {
      file: 'assembly/call.ts',
      find: 'if (acas(place, own, mark(call, handle == 0 ? REPLY_FAILED : REPLY_ANSWERED)) == own) {\n      recordDone();\n      wakeAsker(call);',
      replace:
        'wakeAsker(call);\n    if (acas(place, own, mark(call, handle == 0 ? REPLY_FAILED : REPLY_ANSWERED)) == own) {\n      recordDone();',
    },
    scenario: 'an asker sleeps until its answer comes',
  },
  {
    name: 'a call is cancelled by load and store',
    fault: {
      file: 'assembly/call.ts',
      find: 'if (acas(place, seen, (seen & ~REPLY_STATE_MASK) | REPLY_CANCELLED) != seen) continue;',
      replace: 'astore(place, (seen & ~REPLY_STATE_MASK) | REPLY_CANCELLED);',
    },
    scenario: 'answer against cancel',
  },
  {
    name: 'a server that comes too late does not let go of the slot',
    fault: {
      file: 'assembly/call.ts',
      find: 'if (acas(place, cancelled, vacant(cancelled)) == cancelled) wakeAsker(call);',
      replace: '',
    },
    scenario: 'answer against cancel',
  },
  {
    name: 'a slot is free again with the same sequence',
    fault: {
      file: 'assembly/reply.ts',
      find: 'return ((word + ((<u32>1) << REPLY_SEQ_SHIFT)) & REPLY_SEQ_MASK) | REPLY_FREE;',
      replace: 'return (word & REPLY_SEQ_MASK) | REPLY_FREE;',
    },
    scenario: 'a slot cancelled and used again against the answer of its first call',
  },
  {
    name: 'the entries of a call are taken before its slot is marked',
    fault: {
      file: 'assembly/call.ts',
      find: 'if (claimCall(call, mark(call, REPLY_SERVING))) return receiveBurst(channel, address, count);\n    drop(lane, node);',
      replace:
        'receiveBurst(channel, address, count);\n' +
        '    return claimCall(call, mark(call, REPLY_SERVING)) ? count : 0;',
    },
    scenario: 'ask and collect against serve, capacity 1',
    kills: 1,
  },
  {
    name: 'a call is sent before it is out',
    fault: {
      file: 'assembly/call.ts',
      find:
        'astore(place, (seen & REPLY_SEQ_MASK) | REPLY_OUT);\n' +
        '    if (sendBurst(channel, address, count, count - 1) == count) return <i32>call;',
      replace:
        'if (sendBurst(channel, address, count, count - 1) == count) {\n' +
        '      astore(place, (seen & REPLY_SEQ_MASK) | REPLY_OUT);\n      return <i32>call;\n    }',
    },
    scenario: 'ask and collect against serve, capacity 1',
  },
  {
    name: 'a call that is drained does not fail',
    fault: {
      file: 'assembly/channel.ts',
      find: 'if (load<u32>(block + CHANNEL_CALLS_OFFSET) != 0) {',
      replace: 'if (false) {',
    },
    scenario: 'the pool is scrubbed against ask and serve',
  },
  {
    name: 'a bell is rung before the bit is taken',
    fault: {
      file: 'assembly/event.ts',
      find: '    if ((aand(word, ~bit) & bit) == 0) continue;\n    store<u32>(port + PORT_CHOSEN_OFFSET, id); // plain: owner only\n    return ring(id);',
      replace:
        '    ring(id);\n    if ((aand(word, ~bit) & bit) == 0) continue;\n    store<u32>(port + PORT_CHOSEN_OFFSET, id);\n    return;',
    },
    scenario: 'two entries for two that wait, known to each other or not',
  },
  {
    name: 'a waker gives up where the bit that it chose is gone',
    fault: {
      file: 'assembly/event.ts',
      find: '    if ((aand(word, ~bit) & bit) == 0) continue;',
      replace: '    if ((aand(word, ~bit) & bit) == 0) return;',
    },
    scenario: 'an entry for one of two that wait, one of which gives up',
  },
  {
    name: 'a waiter looks whether it was chosen, and clears its bit afterwards',
    fault: {
      file: 'assembly/event.ts',
      find: '  return <u32>((aand(word, ~bit) & bit) != 0);',
      replace: '  const was = aload(word) & bit;\n  aand(word, ~bit);\n  return <u32>(was != 0);',
    },
    scenario: 'an entry for one of two that wait, one of which gives up',
  },
  {
    name: "a waiter's bit is set by load and store",
    fault: {
      file: 'assembly/event.ts',
      find: '  return <u32>((aor(word, bit) & bit) != 0);',
      replace:
        '  const was = aload(word);\n  aor(word, 0);\n  atomic.store<u32>(word, was | bit);\n  return <u32>((was & bit) != 0);',
    },
    scenario: 'an entry for one of two that wait',
  },
  {
    name: 'a closed channel wakes one of those who wait',
    fault: {
      file: 'assembly/channel.ts',
      find: '  wakeAll(block + CHANNEL_NOT_EMPTY_OFFSET);',
      replace: '  wake(block + CHANNEL_NOT_EMPTY_OFFSET);',
    },
    scenario: 'a channel closed under two that wait, one of them chosen',
  },
  {
    name: 'a receiver is woken before the entry is published',
    fault: {
      file: 'assembly/channel.ts',
      find: '  const counted = load<u32>(block + CHANNEL_BATCH_OFFSET) != 1;',
      replace:
        '  const counted = load<u32>(block + CHANNEL_BATCH_OFFSET) != 1;\n  wake(block + CHANNEL_NOT_EMPTY_OFFSET);\n  if (counted == false) return ringPush(block, lane + LANE_OUTBOX_OFFSET, lane + LANE_TAIL_OFFSET, false, false);',
    },
    scenario: 'an entry for one of two that wait',
  },
  {
    name: 'a sender does not ask again whether the channel is closed',
    fault: {
      file: 'assembly/channel.ts',
      find: '  if (aload(block + CHANNEL_CLOSED_OFFSET) == 0) return false;',
      replace: '  if (block != 0) return false;',
    },
    scenario: 'send against close and drain',
  },
  {
    name: 'an idle thread is not told that its pages are wanted',
    fault: {
      file: 'assembly/cache.ts',
      find: '    if (load<u32>(node + NODE_COUNT_OFFSET) != 0) ringBell(id);',
      replace: '    if (node == 0) ringBell(id);',
    },
    scenario: 'a page that an idle thread has cached, and one that waits for it',
  },
  {
    name: 'nobody is woken where a token comes back',
    fault: {
      file: 'src/engine/typescript/token.ts',
      find: '    this.wake(CONTROL_BASE + HEADER_TOKEN_FREED_OFFSET);\n',
      replace: '',
    },
    scenario: 'a token that comes back, for one of two that wait to lend, one of which gives up',
  },
  {
    name: 'whoever adopts a token wakes nobody',
    fault: {
      file: 'assembly/token.ts',
      find: '  wake(CONTROL_BASE + HEADER_TOKEN_FREED_OFFSET);\n',
      replace: '',
    },
    scenario: 'a token that comes back, for one of two that wait to lend, one of which gives up',
  },
];

const typescriptFaults: readonly SeededFault[] = [
  {
    name: 'the page count goes down by load and store',
    fault: { file: 'src/engine/typescript/refcount.ts', method: 'releaseShared', exchange: 0 },
    scenario: 'last release against last release',
  },
  {
    name: 'a release that reads 1 after a lost exchange does not take the page home',
    fault: {
      file: 'src/engine/typescript/refcount.ts',
      find: 'seen === references',
      replace: 'seen === references || seen === 1',
    },
    scenario: 'last release against last release',
  },
  {
    name: 'nodes are exchanged by load and store',
    fault: {
      file: 'src/engine/typescript/ring.ts',
      find: 'if (this.acas(address, seen, next) !== seen) {',
      replace: 'if (this.aload(address) === seen) this.astore(address, next);\n    else {',
    },
    scenario: 'two spills, wrap of lap and position',
  },
  {
    name: 'the tail moves on before the slot is filled',
    fault: {
      file: 'src/engine/typescript/ring.ts',
      find: '      if (!this.exchange(ring, slot, w, ((state | 1) << nodeBits) | i32[holder >>> 2]!, holder)) continue;',
      replace:
        '      if (isPublished) this.acas(ring.tail, tail, next);\n' +
        '      if (!this.exchange(ring, slot, w, ((state | 1) << nodeBits) | i32[holder >>> 2]!, holder)) continue;',
    },
    scenario: 'a sender that receives against a sender, capacity 2',
  },
  {
    name: 'whoever finds a hint behind waits for another one to move it on',
    fault: {
      file: 'src/engine/typescript/ring.ts',
      find: '      hint = ring.following(hint, index);',
      replace: '      hint = this.aload(address);',
    },
    scenario: 'two spills, wrap of lap and position',
  },
  {
    name: 'a receiver takes any filled slot, whatever its lap',
    fault: {
      file: 'src/engine/typescript/ring.ts',
      find: '      const age = ((w >>> nodeBits) - state) & stateMask;',
      replace:
        '      const age = ((w >>> nodeBits) - state) & stateMask;\n' +
        '      if (((w >>> nodeBits) & 1) !== 0 && holder !== 0) {\n' +
        '        if (this.exchange(ring, slot, w, ((state + 2) << nodeBits) | i32[holder >>> 2]!, holder)) return OK;\n' +
        '        continue;\n' +
        '      }',
    },
    scenario: 'a sender against two receivers, capacity 1',
  },
  {
    name: 'a hint of the own tail is used without a look at the position before it',
    fault: {
      file: 'src/engine/typescript/ring.ts',
      find: 'const before = this.look(previous, isSure);',
      replace: 'const before = (state + (index === 0 ? -1 : 1)) << nodeBits;',
    },
    scenario: 'a hint of the tail from before the laps went round, against a send',
  },
  {
    name: 'a hint of the own head is used without a look at the position before it',
    fault: {
      file: 'src/engine/typescript/ring.ts',
      find: 'const before = this.look(index === 0 ? slot + ((slotCount - 1) << 2) : slot - 4, isSure);',
      replace: 'const before = (state + (index === 0 ? 0 : 2)) << nodeBits;',
    },
    scenario: 'a hint of the head from before the laps went round, against a send',
  },
  {
    name: 'a channel is full where its hint says so',
    fault: {
      file: 'src/engine/typescript/ring.ts',
      find: '      if (isFull && !replace) {',
      replace:
        '      if (t - this.aload(ring.head) > slotCount && !replace) return FULL;\n      if (isFull && !replace) {',
    },
    scenario: 'a receive and a send against a receive, full, hints behind',
  },
  {
    name: 'a channel is empty where its hint says so',
    fault: {
      file: 'src/engine/typescript/ring.ts',
      find: '      if (age === 0) {',
      replace: '      if (h === this.aload(ring.tail)) return EMPTY;\n      if (age === 0) {',
    },
    scenario: 'a send and a receive against a send, empty, hints behind',
  },
  {
    name: 'an entry is taken back out of the node that it was sent in, whoever has that by then',
    fault: {
      file: 'src/engine/typescript/ring.ts',
      find: '        if (this.aload(only + NODE_OWNER_OFFSET) !== this.portId + 1) return EMPTY;\n',
      replace: '',
    },
    scenario: 'send against its node in the hands of another sender, and a close',
  },
  {
    name: 'a spilled spare magazine is overwritten instead of exchanged',
    fault: {
      file: 'src/engine/typescript/cache.ts',
      find: 'if (!this.exchange(ring, spare, seen, next, port + PORT_LOADED_OFFSET)) return false;',
      replace:
        'if (spare === port + PORT_SPARE_OFFSET) {\n' +
        '      i32[(port + PORT_LOADED_OFFSET) >>> 2] = seen & ring.nodeMask;\n' +
        '      this.astore(spare, next);\n' +
        '    } else if (!this.exchange(ring, spare, seen, next, port + PORT_LOADED_OFFSET)) return false;',
    },
    scenario: 'spare taken by a starving port against its owner',
  },
  {
    name: 'a token is claimed by load and store',
    fault: {
      file: 'src/engine/typescript/token.ts',
      find: 'return this.acas(token, seen, this.mark(seen, TOKEN_TAKING)) === seen ? seen : 0;',
      replace: 'this.astore(token, this.mark(seen, TOKEN_TAKING));\n    return seen;',
    },
    scenario: 'token adopted twice',
  },
  {
    name: 'LEFT is set by a store',
    fault: { file: 'src/engine/typescript/pin.ts', method: 'leave', exchange: 0 },
    scenario: 'unpin against last release',
  },
  {
    name: 'a fresh page is claimed by load and store',
    fault: { file: 'src/engine/typescript/supply.ts', method: 'claim', exchange: 0 },
    scenario: 'fresh claim against fresh claim',
  },
  {
    name: 'a fragment page is left by load and store',
    fault: { file: 'src/engine/typescript/fragment.ts', method: 'leaveFragmentPage', exchange: 0 },
    scenario: 'bias drain against release, the page reused in place',
  },
  {
    name: 'retain raises the page count by load and store',
    fault: {
      file: 'src/engine/typescript/refcount.ts',
      find: 'this.aadd(counter, references);',
      replace: 'this.astore(counter, this.aload(counter) + references);',
    },
    scenario: 'retain and two releases against last release',
  },
  {
    name: 'retain reads the word before the count',
    fault: {
      file: 'src/engine/typescript/refcount.ts',
      find: 'const total = this.aload(counter);\n    // N12 no ordering needed: where the count is not the row, the exchange decides.\n    let word = this.rload(address);',
      replace: 'let word = this.rload(address);\n    const total = this.aload(counter);',
    },
    scenario: 'retain and two releases against last release',
  },
  {
    name: 'a release reads the word before the count',
    fault: {
      file: 'src/engine/typescript/refcount.ts',
      find:
        'const references = this.aload(this.descriptorAddress(page) + DESCRIPTOR_COUNT_OFFSET);\n' +
        '    // N18 no ordering needed: as N1; where the count is not the row, the exchange decides.\n' +
        '    const word = this.rload(this.wordAddress(unit));',
      replace:
        'const word = this.rload(this.wordAddress(unit));\n' +
        '    const references = this.aload(this.descriptorAddress(page) + DESCRIPTOR_COUNT_OFFSET);',
    },
    scenario: 'last release against last release',
  },
  {
    name: 'a token is free before its words are read',
    fault: {
      file: 'src/engine/typescript/token.ts',
      find: 'const handle = i32[(token + TOKEN_HANDLE_OFFSET) >>> 2]!;',
      replace:
        'this.astore(token, ((seen >>> TOKEN_SEQ_SHIFT) + 1) << TOKEN_SEQ_SHIFT);\n' +
        '    this.aload(token);\n' +
        '    const handle = i32[(token + TOKEN_HANDLE_OFFSET) >>> 2]!;',
    },
    scenario: 'token adopted, adopted and released, and the next one lent',
  },
  {
    name: 'a call is answered by load and store',
    fault: { file: 'src/engine/typescript/call.ts', method: 'reply', exchange: 0 },
    scenario: 'answer against cancel',
  },
  {
    name: 'a call is cancelled by load and store',
    fault: { file: 'src/engine/typescript/call.ts', method: 'cancel', exchange: 0 },
    scenario: 'answer against cancel',
  },
  {
    name: 'a call is taken by load and store',
    fault: { file: 'src/engine/typescript/reply.ts', method: 'claimCall', exchange: 0 },
    scenario: 'answer against cancel',
  },
  {
    name: 'the entries of a call are taken before its slot is marked',
    fault: {
      file: 'src/engine/typescript/call.ts',
      find: 'if (this.claimCall(call, this.replyWord(call, REPLY_SERVING))) return this.receiveBurst(channel, address, count);',
      replace:
        'this.receiveBurst(channel, address, count);\n' +
        '      if (this.claimCall(call, this.replyWord(call, REPLY_SERVING))) return count;',
    },
    scenario: 'ask and collect against serve, capacity 1',
    kills: 1,
  },
  {
    name: 'an answer has no record',
    fault: {
      file: 'src/engine/typescript/call.ts',
      find: 'this.recordPrivate(RECORD_REPLY, page, row, place, own);',
      replace: '',
    },
    scenario: 'answer against cancel',
    kills: 1,
  },
  {
    name: 'a cancelled slot is freed while the answer has its record',
    fault: {
      file: 'src/engine/typescript/call.ts',
      find: 'if (handle !== 0) this.setHeld(page, row);\n      this.recordDone();\n    }',
      replace: 'if (handle !== 0) this.setHeld(page, row);\n    }',
    },
    scenario: 'answer against cancel',
    kills: 1,
    bound: 1,
  },
  {
    name: 'an answer is collected without a record',
    fault: {
      file: 'src/engine/typescript/call.ts',
      find: 'this.recordPrivate(RECORD_REPLY, page, row, place, seen);',
      replace: '',
    },
    scenario: 'answer against cancel',
    kills: 1,
  },
  {
    name: 'a bell is rung before the bit is taken',
    fault: {
      file: 'src/engine/typescript/event.ts',
      find:
        '      if ((this.aand(event + EVENT_ONE_OFFSET + ((id >>> 5) << 2), ~bit) & bit) === 0) continue;\n' +
        '      i32[(port + PORT_CHOSEN_OFFSET) >>> 2] = id; // plain: owner only\n' +
        '      this.ringBell(id);\n',
      replace:
        '      this.ringBell(id);\n' +
        '      if ((this.aand(event + EVENT_ONE_OFFSET + ((id >>> 5) << 2), ~bit) & bit) === 0) continue;\n' +
        '      i32[(port + PORT_CHOSEN_OFFSET) >>> 2] = id;\n',
    },
    scenario: 'two entries for two that wait, known to each other or not',
  },
  {
    name: 'a waker gives up where the bit that it chose is gone',
    fault: {
      file: 'src/engine/typescript/event.ts',
      find: '      if ((this.aand(event + EVENT_ONE_OFFSET + ((id >>> 5) << 2), ~bit) & bit) === 0) continue;',
      replace: '      if ((this.aand(event + EVENT_ONE_OFFSET + ((id >>> 5) << 2), ~bit) & bit) === 0) return;',
    },
    scenario: 'an entry for one of two that wait, one of which gives up',
  },
  {
    name: 'a waiter looks whether it was chosen, and clears its bit afterwards',
    fault: {
      file: 'src/engine/typescript/event.ts',
      find: '    return (this.aand(word, ~bit) & bit) !== 0 ? 1 : 0;',
      replace: '    const was = this.aload(word) & bit;\n    this.aand(word, ~bit);\n    return was !== 0 ? 1 : 0;',
    },
    scenario: 'an entry for one of two that wait, one of which gives up',
  },
  {
    name: "a waiter's bit is set by load and store",
    fault: {
      file: 'src/engine/typescript/event.ts',
      find: '    return (this.aor(word, bit) & bit) !== 0 ? 1 : 0;',
      replace:
        '    const was = this.aload(word);\n    this.astore(word, was | bit);\n    return (was & bit) !== 0 ? 1 : 0;',
    },
    scenario: 'an entry for one of two that wait',
  },
  {
    name: 'a closed channel wakes one of those who wait',
    fault: {
      file: 'src/engine/typescript/channel.ts',
      find: '    this.wakeAll(block + CHANNEL_NOT_EMPTY_OFFSET);',
      replace: '    this.wake(block + CHANNEL_NOT_EMPTY_OFFSET);',
    },
    scenario: 'a channel closed under two that wait, one of them chosen',
  },
  {
    name: 'nobody is woken where an entry is published',
    fault: {
      file: 'src/engine/typescript/channel.ts',
      find: '    if (code === FULL) return FULL;\n    this.wake(block + CHANNEL_NOT_EMPTY_OFFSET);\n',
      replace: '    if (code === FULL) return FULL;\n',
    },
    scenario: 'an entry for one of two that wait',
  },
  {
    name: 'a sender does not ask again whether the channel is closed',
    fault: {
      file: 'src/engine/typescript/channel.ts',
      find: '    if (this.aload(block + CHANNEL_CLOSED_OFFSET) === 0) return false;',
      replace: '    if (block !== 0) return false;',
    },
    scenario: 'send against close and drain',
  },
  {
    name: 'an idle thread is not told that its pages are wanted',
    fault: {
      file: 'src/engine/typescript/cache.ts',
      find: '      if (i32[(node + NODE_COUNT_OFFSET) >>> 2] !== 0) this.ringBell((portId + i) % maxPorts);',
      replace: '      if (node === 0) this.ringBell((portId + i) % maxPorts);',
    },
    scenario: 'a page that an idle thread has cached, and one that waits for it',
  },
];

export const seededFaults: readonly SeededFault[] = [...wasmFaults, ...typescriptFaults];

/** The engine that the fault is in. */
export function engineOf({ fault }: SeededFault): 'wasm' | 'typescript' {
  return fault.file.startsWith('assembly/') ? 'wasm' : 'typescript';
}
