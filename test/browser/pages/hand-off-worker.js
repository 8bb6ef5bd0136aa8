// One of two workers that hand stamped fragments to each other, in bursts and one by one, until each has had all of the
// other's.
//
// Every eighth fragment goes back to where it came from before it is released, so that the number of hand-offs is known
// beforehand. A fault that the page asks for is committed once, to show that the checks see it.

import { HUNG_MS } from '../support/waiting.js';
import { PagePool } from './both.js';
import { randomFrom, Stamper } from './stamp.js';

const BURST = 32;
const ENTRY_WORDS = 4;
const SECOND_HOP = 2 ** 30;
const ORIGIN = 2 ** 29;

self.onmessage = ({ data }) => {
  self.postMessage(new Exchange(data).run());
};

class Exchange {
  constructor({ share, engine, index, seed, quota, fault }) {
    this.pool = PagePool.attach({ ...share, engine }, { label: `worker ${index}` });
    this.inbox = this.pool.channel(`to${index}`);
    this.outbox = this.pool.channel(`to${1 - index}`);
    this.stamper = new Stamper(this.pool, seed);
    this.random = randomFrom(seed + index);
    this.index = index;
    this.quota = quota;
    this.fault = fault;
    this.handles = this.pool.words(BURST);
    this.fresh = new Queue(this.outbox, this.pool.words(BURST * ENTRY_WORDS));
    this.onward = new Queue(this.outbox, new Uint32Array(BURST * ENTRY_WORDS));
    this.arrived = this.pool.words(BURST * ENTRY_WORDS);
    this.single = null;
    /** Per fragment of the other worker (even) and of this one (odd), how often it came. */
    this.seen = new Uint8Array(2 * quota);
    this.total = {
      originated: 0,
      received: 0,
      onward: 0,
      released: 0,
      torn: 0,
      twice: 0,
      bursts: 0,
      singles: 0,
      waits: 0,
    };
  }

  /** All that this worker will receive: the other's fragments, and every eighth of its own. */
  get expected() {
    return this.quota + Math.ceil(this.quota / 8);
  }

  run() {
    const { total } = this;
    let idle = 0;
    while (total.received < this.expected || total.originated < this.quota || !this.isSent()) {
      if (this.originate() + this.onward.send() + this.receive() > 0) {
        idle = 0;
        continue;
      }
      // Everything that can be sent is sent: the thread stands still until something comes.
      total.waits++;
      if (!this.inbox.waitSync(1000) && ++idle * 1000 > HUNG_MS) break;
    }
    const missing = this.countMissing();
    const { engine } = this.pool;
    let failure = '';
    try {
      this.pool.detach();
    } catch (error) {
      failure = String(error);
    }
    return { ...total, missing, engine, failure };
  }

  isSent() {
    return this.fresh.isEmpty && this.onward.isEmpty && this.single === null;
  }

  /** Makes new fragments and sends them; how many went. */
  originate() {
    const unsent = this.fresh.send() + this.sendSingle();
    if (!this.fresh.isEmpty || this.single !== null || this.total.originated === this.quota) return unsent;
    if (this.random(8) === 0) {
      this.single = this.pool.take(4 * (1 + this.random(256)));
      if (this.single === null) return unsent;
      this.total.singles++;
      this.stamp(this.single.handle, this.single.length);
      return unsent + this.sendSingle();
    }
    const count = Math.min(1 + this.random(BURST), this.quota - this.total.originated);
    this.total.bursts++;
    if (this.random(2) === 0) {
      const got = this.pool.allocBurst(this.handles, count);
      for (let i = 0; i < got; i++) this.addFresh(this.handles[i], this.pool.pageBytes);
    } else {
      for (let i = 0; i < count; i++) {
        const length = 4 * (1 + this.random(100));
        const handle = this.pool.allocFragment(length);
        if (handle === 0) break;
        this.addFresh(handle, length);
      }
    }
    return unsent + this.fresh.send();
  }

  addFresh(handle, length) {
    this.fresh.add(handle, length, this.stamp(handle, length));
  }

  /** Writes the next fragment's content and returns its tag. */
  stamp(handle, length) {
    const tag = this.index * ORIGIN + this.total.originated++;
    this.stamper.write(handle, length, tag);
    if (this.fault === 'corrupt' && tag === 1001) this.pool.bytes(handle, 0, length)[length - 1] ^= 1;
    return tag;
  }

  /** Sends the Fragment object; how many went. */
  sendSingle() {
    if (this.single === null) return 0;
    const tag = this.index * ORIGIN + this.total.originated - 1;
    if (!this.outbox.sendFragment(this.single, tag)) return 0;
    this.single = null;
    return 1;
  }

  /** Takes what came, checks it, and sends it on or releases it; how many came. */
  receive() {
    if (this.random(8) === 0) {
      const fragment = this.inbox.receive();
      if (fragment === null) return 0;
      this.check(fragment.handle, fragment.length, fragment.tag);
      if (this.isOnward(fragment.tag)) {
        this.onward.add(fragment.handle, fragment.length, fragment.tag + SECOND_HOP);
        this.total.onward++;
      } else {
        fragment.release();
        this.total.released++;
      }
      return 1;
    }
    const came = this.inbox.receiveBurst(this.arrived, 1 + this.random(BURST));
    let releases = 0;
    for (let i = 0; i < came; i++) {
      const at = ENTRY_WORDS * i;
      const handle = this.arrived[at];
      const length = this.arrived[at + 2];
      const tag = this.arrived[at + 3];
      this.check(handle, length, tag);
      if (this.isOnward(tag)) {
        this.onward.add(handle, length, tag + SECOND_HOP);
        this.total.onward++;
      } else if (this.fault === 'leak' && this.total.released + releases >= 1000) {
        this.fault = '';
      } else {
        this.handles[releases++] = handle;
      }
    }
    this.pool.releaseBulk(this.handles, releases);
    this.total.released += releases;
    return came;
  }

  isOnward(tag) {
    return tag < SECOND_HOP && tag % 8 === 0;
  }

  check(handle, length, tag) {
    this.total.received++;
    const original = tag % SECOND_HOP;
    if (!this.stamper.isWhole(handle, length, original)) this.total.torn++;
    const isOwn = original >= ORIGIN === (this.index === 1);
    const slot = 2 * (original % ORIGIN) + (isOwn ? 1 : 0);
    if (this.seen[slot]++ > 0) this.total.twice++;
  }

  countMissing() {
    let missing = 0;
    for (let i = 0; i < this.quota; i++) {
      if (this.seen[2 * i] === 0) missing++;
      if (i % 8 === 0 && this.seen[2 * i + 1] === 0) missing++;
    }
    return missing;
  }
}

/** Entries that wait to be sent, in order; what a full channel refuses stays. */
class Queue {
  #entries;
  #channel;
  #count = 0;

  /** Entries in the pool's words() are sent without a copy; an array of another kind grows when it must. */
  constructor(channel, entries) {
    this.#entries = entries;
    this.#channel = channel;
  }

  get isEmpty() {
    return this.#count === 0;
  }

  add(handle, length, tag) {
    if (ENTRY_WORDS * this.#count === this.#entries.length) {
      const larger = new Uint32Array(2 * this.#entries.length);
      larger.set(this.#entries);
      this.#entries = larger;
    }
    const entries = this.#entries;
    const at = ENTRY_WORDS * this.#count++;
    entries[at] = handle;
    entries[at + 1] = 0;
    entries[at + 2] = length;
    entries[at + 3] = tag;
  }

  /** How many went. */
  send() {
    if (this.#count === 0) return 0;
    const sent = this.#channel.sendBurst(this.#entries, this.#count);
    this.#entries.copyWithin(0, ENTRY_WORDS * sent, ENTRY_WORDS * this.#count);
    this.#count -= sent;
    return sent;
  }
}
