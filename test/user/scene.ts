// The trusted side of the hostile tests: pools over user areas, with consumers that are honest and one that is not, and
// the audit.
//
// Knows no platform but what starts a consumer. Each step gives, takes back, keeps and checks; whatever the hostile
// consumer writes, the pool's own words are this thread's alone, so the audit is exact at any time.

import type { AuditReport, MemoryProvider, PagePool, ProviderContext } from 'pagepool';
import type { UserQueue, UserShare } from 'pagepool/user-area';
import { isStamped, stamp } from '../support/stamp.js';
import { HUNG_MS } from '../support/waiting.js';
import { CHECKED, STOP, TORN } from './honest.js';
import { DEEDS, DEEDS_WORD } from './hostile.js';

/** What the scene is made with: the package as it is built, wherever it was loaded from. */
export interface Package {
  readonly PagePool: typeof PagePool;
  readonly UserQueue: typeof UserQueue;
  readonly userArea: (
    memory: SharedArrayBuffer,
    options?: { byteOffset?: number; byteLength?: number },
  ) => MemoryProvider;
}

/** A consumer's thread. */
export interface Consumer {
  end(): Promise<void>;
}

export interface SceneOptions {
  readonly package: Package;
  readonly engine: 'wasm' | 'typescript';
  readonly random: (below: number) => number;
  /** Whether the hostile consumer writes into its area too; the honest ones have another area then. */
  readonly writesArea: boolean;
  /** What goes wrong, where it is seen. */
  readonly failures: string[];
  readonly start: (kind: 'honest' | 'hostile', share: UserShare, counts: Int32Array) => Consumer;
}

/** What must be so at the end. */
export interface Outcome {
  /** Refills of the hostile consumer: taken back or dropped. */
  readonly entries: number;
  /** What it did, as it counts it. */
  readonly deeds: Readonly<Record<string, number>>;
  readonly returned: number;
  readonly dropped: { readonly outside: number; readonly misaligned: number; readonly notHeld: number };
  readonly bounded: { readonly tails: number; readonly heads: number };
  readonly lost: number;
  /** Windows that honest consumers found as they should be, and those they did not. */
  readonly checked: number;
  readonly torn: number;
  /** The same of pages that this thread kept. */
  readonly keptChecked: number;
  readonly keptTorn: number;
  readonly audits: number;
  readonly failures: readonly string[];
  readonly scrubbed: number;
  readonly isDestroyed: readonly boolean[];
  /** Pages that the provider has at the end, of all. */
  readonly home: readonly [number, number];
}

const PAGES = 64;
const PAGE_BYTES = 1024;
const KEPT = 10;
const STEPS_AT_ONCE = 200;
const AUDIT_EVERY = 2000;

/** The provider, watched: each page is out once, and comes back once (I7). */
function watched(provider: MemoryProvider, failures: string[]): MemoryProvider & { out(): number } {
  const out = new Set<number>();
  const { kind, readable, detachable } = provider;
  return {
    kind,
    readable,
    detachable,
    out: () => out.size,
    init(context) {
      const feed = (pages: Uint32Array): void => {
        for (const page of pages) {
          if (out.has(page)) failures.push(`page ${page} is fed twice`);
          out.add(page);
        }
        context.feed(pages);
      };
      const seen: ProviderContext = {
        pool: context.pool,
        addArea: (memory, pages) => context.addArea(memory, pages),
        retireArea: (area) => context.retireArea(area),
        keepArea: (area) => context.keepArea(area),
        feed,
      };
      contexts.set(context, seen);
      return provider.init(seen);
    },
    grow: (context, count) => provider.grow(contexts.get(context) as ProviderContext, count),
    retire(context, pages) {
      for (const page of pages) if (!out.delete(page)) failures.push(`page ${page} comes back twice`);
      provider.retire(contexts.get(context) as ProviderContext, pages);
    },
    describe: () => provider.describe(),
    destroy: (context) => provider.destroy(contexts.get(context) as ProviderContext),
  };
}
const contexts = new WeakMap<ProviderContext, ProviderContext>();

export class Scene {
  readonly failures: string[];
  readonly #options: SceneOptions;
  readonly #counts = new Int32Array(new SharedArrayBuffer(4 * (DEEDS_WORD + DEEDS.length)));
  readonly #pools: PagePool[] = [];
  readonly #providers: (MemoryProvider & { out(): number })[] = [];
  #hostile!: UserQueue;
  readonly #honest: UserQueue[] = [];
  readonly #consumers: Consumer[] = [];
  /** Pages of this thread's own: a trusted user beside the others. */
  readonly #kept: [pool: PagePool, handle: number, tag: number][] = [];
  #tag = 0;
  #keptChecked = 0;
  #keptTorn = 0;
  #audits = 0;

  /** Makes the pools and starts the consumers. */
  static async open(options: SceneOptions): Promise<Scene> {
    const scene = new Scene(options);
    for (let i = options.writesArea ? 2 : 1; i > 0; i--) scene.#pools.push(await scene.#makePool());
    scene.#start();
    return scene;
  }

  private constructor(options: SceneOptions) {
    this.#options = options;
    this.failures = options.failures;
  }

  #start(): void {
    const { package: given, start } = this.#options;
    const first = this.#pools[0] as PagePool;
    const second = this.#pools.at(-1) as PagePool;
    this.#hostile = new given.UserQueue(first, { completions: 16, refills: 32 });
    for (const refills of [8, 64]) this.#honest.push(new given.UserQueue(second, { completions: 16, refills }));
    this.#consumers.push(start('hostile', this.#hostile.share(), this.#counts));
    for (const queue of this.#honest) this.#consumers.push(start('honest', queue.share(), this.#counts));
  }

  #makePool(): Promise<PagePool> {
    const { engine, package: given } = this.#options;
    // The area lies in the middle of its buffer: what is around it is the consumer's too, and nobody's page.
    const buffer = new SharedArrayBuffer((PAGES + 2) * PAGE_BYTES);
    const options = { byteOffset: PAGE_BYTES, byteLength: PAGES * PAGE_BYTES };
    const provider = watched(given.userArea(buffer, options), this.failures);
    this.#providers.push(provider);
    return given.PagePool.create({ engine, pageBytes: PAGE_BYTES, pageCount: PAGES, maxPorts: 2, provider });
  }

  /** Refills of the hostile consumer so far. */
  get entries(): number {
    const { returned, dropped, lost } = this.#hostile.stats();
    return returned + lost + dropped.outside + dropped.misaligned + dropped.notHeld;
  }

  /** What the hostile consumer did so far. */
  get deeds(): Record<string, number> {
    return Object.fromEntries(DEEDS.map((deed, i) => [deed, Atomics.load(this.#counts, DEEDS_WORD + i)]));
  }

  get checked(): number {
    return Atomics.load(this.#counts, CHECKED);
  }

  /**
   * Steps until it is over, with audits between; `breathe` returns to the event loop. Then the end, and what came of
   * it.
   */
  async play(isOver: () => boolean, breathe: () => Promise<unknown>, isViolent: boolean): Promise<Outcome> {
    for (let steps = 0; !isOver() && this.failures.length === 0; steps++) {
      this.step();
      if (steps % STEPS_AT_ONCE === 0) await breathe();
      if (steps % AUDIT_EVERY === 0) this.audit();
    }
    return this.finish(isViolent);
  }

  /**
   * Whether everything has been seen at least that often that the hostile consumer can do, and what goes on beside it.
   */
  hasSeen(entries: number, times: number): boolean {
    const { returned, dropped, bounded } = this.#hostile.stats();
    const counts = [returned, dropped.outside, dropped.misaligned, dropped.notHeld, bounded.tails, bounded.heads];
    return (
      this.entries >= entries &&
      Math.min(...counts, ...Object.values(this.deeds), this.#keptChecked, this.checked) >= times
    );
  }

  step(): void {
    const { random } = this.#options;
    const kind = random(8);
    if (kind < 3) this.#give(this.#hostile, this.#pools[0] as PagePool);
    else if (kind < 5) this.#give(this.#honest[random(2)] as UserQueue, this.#pools.at(-1) as PagePool);
    else if (kind === 5) this.#keep();
    else if (kind === 6) for (const queue of this.#honest) queue.refill();
    this.#hostile.refill();
  }

  #give(queue: UserQueue, pool: PagePool): void {
    const { random } = this.#options;
    const tag = ++this.#tag;
    const kind = random(8);
    if (kind === 0) {
      const bytes = new Uint8Array(1 + random(2 * PAGE_BYTES));
      // A page's worth an entry: each is stamped by itself.
      for (let at = 0; at < bytes.length; at += PAGE_BYTES) stamp(bytes.subarray(at, at + PAGE_BYTES), tag);
      queue.giveCopy(bytes, tag);
      return;
    }
    const bytes = kind < 4 ? PAGE_BYTES : 1 + random(PAGE_BYTES);
    const handle = kind < 4 ? pool.alloc() : pool.allocFragment(bytes);
    if (handle === 0) return;
    const offset = random(4) === 0 ? random(bytes) : 0;
    stamp(pool.bytes(handle, offset, bytes - offset), tag);
    // Some twice: two windows, two references.
    const times = random(6) === 0 ? 2 : 1;
    if (times > 1) pool.retain(handle);
    for (let i = 0; i < times; i++) if (!queue.give(handle, offset, bytes - offset, tag)) pool.release(handle);
  }

  /** A trusted user of the pool that the honest consumers share. */
  #keep(): void {
    const { random } = this.#options;
    const pool = this.#pools.at(-1) as PagePool;
    if (this.#kept.length >= KEPT) this.#drop(random(this.#kept.length));
    const handle = pool.alloc();
    if (handle === 0) return;
    const tag = ++this.#tag;
    stamp(pool.bytes(handle), tag);
    this.#kept.push([pool, handle, tag]);
  }

  #drop(at: number): void {
    const [[pool, handle, tag] = []] = this.#kept.splice(at, 1);
    if (pool === undefined || handle === undefined) return;
    if (isStamped(pool.bytes(handle), tag as number)) this.#keptChecked++;
    else this.#keptTorn++;
    pool.release(handle);
  }

  /** The pools are in order, in the middle of everything: I1, I2, I3, I4, I10. */
  audit(): void {
    for (const pool of this.#pools) {
      const audit: AuditReport = pool.audit();
      this.#audits++;
      const { total, used, cached, ring, provider, pinned } = audit.pages;
      if (!audit.exact || !audit.balanced) this.failures.push(`${audit.exact}: ${audit.errors.join('; ')}`);
      if (used + cached + ring + provider + pinned !== total) this.failures.push(JSON.stringify(audit.pages));
      if (audit.inflight !== used + cached + ring) this.failures.push(`inflight ${audit.inflight}`);
    }
  }

  /** Stops the consumers, or ends them where they stand, and takes everything back. */
  async finish(isViolent: boolean): Promise<Outcome> {
    const scrub = (): number => [this.#hostile, ...this.#honest].reduce((sum, queue) => sum + queue.scrub(), 0);
    // Also under way: the hostile consumer goes on while its references are taken back.
    const early = this.#options.random(2) === 0 ? this.#hostile.scrub() : 0;
    if (!isViolent) Atomics.store(this.#counts, STOP, 1);
    await Promise.all(this.#consumers.map((consumer) => consumer.end()));
    while (this.#kept.length > 0) this.#drop(0);
    const scrubbed = early + scrub();
    for (const pool of this.#pools) pool.trim();
    this.audit();
    const out = [...this.#pools].reduce((sum, pool) => sum + pool.audit().pages.used, 0);
    if (out !== 0) this.failures.push(`pages used after the scrub: ${out}`);
    const closed = await Promise.all(this.#pools.map((pool) => pool.close({ timeoutMs: HUNG_MS, ref: true })));
    const home = this.#providers.reduce((sum, provider) => sum + (provider.describe().freePages as number), 0);
    for (const provider of this.#providers) if (provider.out() !== 0) this.failures.push(`${provider.out()} pages out`);
    const { returned, dropped, bounded, lost } = this.#hostile.stats();
    return {
      entries: this.entries,
      deeds: this.deeds,
      returned,
      dropped,
      bounded,
      lost,
      checked: this.checked,
      torn: Atomics.load(this.#counts, TORN),
      keptChecked: this.#keptChecked,
      keptTorn: this.#keptTorn,
      audits: this.#audits,
      failures: this.failures,
      scrubbed,
      isDestroyed: closed.map(({ isDestroyed }) => isDestroyed),
      home: [home, this.#pools.length * PAGES],
    };
  }
}

/** What an outcome must be, whatever the hostile consumer did. */
export function requireUnharmed(outcome: Outcome): void {
  const { failures, torn, keptTorn, lost, isDestroyed, home } = outcome;
  const isUnharmed =
    failures.length === 0 && torn + keptTorn + lost === 0 && isDestroyed.every(Boolean) && home[0] === home[1];
  if (!isUnharmed) throw new Error(JSON.stringify(outcome));
}
