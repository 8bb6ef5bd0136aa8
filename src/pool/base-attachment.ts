// What each attachment has, of a thread that waits and of one that never does: it follows what other threads ask of its
// port, and at the end lets the port and the memory go.
//
// Attachment (attachment.ts) adds channels, calls and everything that a thread waits for. An audio thread waits for
// nothing, and loads this alone.

import { STATE_DESTROYED } from '../../assembly/layout.js';
import { withSoundWords } from '../control/sound.js';
import { announce, poolState } from '../control/state.js';
import { closedEngine } from '../engine/closed.js';
import { invalidArgument, PagePoolError, reasonOf } from '../errors.js';
import { warn } from '../platform/console.js';
import { touchDeepStack } from '../platform/stack.js';
import { emptyPort, leaveMemory } from '../port/detaching.js';
import { isPressed, returnIdleFragmentPage } from '../port/fragment-page.js';
import { leave, ownsPort, type Port } from '../port/port.js';
import { OwnLife } from '../recovery/own-lock.js';
import { quietly } from '../supply/callbacks.js';
import { endAttachment, letAttachAgain } from './attached.js';

/** One thread's attachment to a pool: what all have. */
export class BaseAttachment {
  readonly port: Port;
  /** What a callback of the platform failed with last. */
  #failure = '';

  /** Shows other threads that this one lives. */
  readonly #life: OwnLife;

  constructor(port: Port, life = new OwnLife(port)) {
    this.port = port;
    this.#life = life;
  }

  get isDestroyed(): boolean {
    return poolState(this.port.memory) === STATE_DESTROYED;
  }

  /** Does what other threads asked of this one. */
  poll(): void {
    touchDeepStack();
    this.sound('poll', () => this.serve());
  }

  /** The same, where words are known to be followed. */
  protected serve(): void {
    const { port } = this;
    if (!ownsPort(port)) return;
    port.areas?.follow();
    this.returnPages();
    this.follow();
    if (this.isDestroyed) this.end();
  }

  /** What this thread caches goes back where others want it. */
  protected returnPages(): void {
    const { port } = this;
    if (isPressed(port)) returnIdleFragmentPage(port);
    port.engine.poll();
  }

  /**
   * Runs a callback of the platform, which nobody catches anything of: words were overwritten, and the program must not
   * end by it. Undefined where it failed.
   */
  protected guard<T>(run: () => T): T | undefined {
    try {
      return this.sound('poll', run);
    } catch (error) {
      const text = reasonOf(error);
      if (text !== this.#failure) warn(this.port.name, text);
      this.#failure = text;
      return undefined;
    }
  }

  /** Throws where a word of the control region cannot be as it is, and this thread has what looks for one. */
  protected requireSound(_call: string, _cause?: unknown): void {}

  /** Runs what follows words of the control region: they may have been overwritten. */
  protected sound<T>(call: string, run: () => T): T {
    return withSoundWords(call, run, (cause) => this.requireSound(call, cause));
  }

  /** Something was announced. */
  protected follow(): void {
    this.#life.follow();
  }

  /** The port is about to be freed. */
  protected leaving(): void {}

  /** The port is free, and what the pool keeps of its memory is decided. */
  protected left(_isDestroyed: boolean): void {}

  /** @param release whether references that the thread holds are released */
  detach(release: boolean): void {
    touchDeepStack();
    if (!ownsPort(this.port)) return;
    if (!this.isDestroyed) this.#empty(release);
    this.end();
  }

  /**
   * Empties the port. Where words were overwritten it cannot be: the thread leaves all the same, and the error names
   * them.
   */
  #empty(release: boolean): void {
    try {
      this.requireSound('detach');
      this.sound('detach', () => emptyPort(this.port, release));
    } catch (error) {
      const isCorrupt = error instanceof PagePoolError && error.code === 'POOL_ERR_CORRUPT';
      if (isCorrupt) quietly(() => this.end()); // the first error names the word
      throw error;
    }
  }

  /** This thread is done with the pool: its calls refuse from now on, and what it follows goes. */
  end(): void {
    const { port } = this;
    // Whatever fails below, this thread is not attached any more, and its calls refuse.
    letAttachAgain(port);
    try {
      this.sound('detach', () => this.#end());
    } finally {
      if (!port.isGone) leave(port, { ...closedEngine, kind: port.engine.kind });
    }
  }

  #end(): void {
    const { port } = this;
    this.leaving();
    endAttachment(port);
    // After the port was freed: whoever waited for this thread's lock then sees that it left by itself.
    this.#life.stop();
    const { isDestroyed } = this;
    const { memory } = port;
    leaveMemory(port, isDestroyed);
    this.left(isDestroyed);
    port.areas?.close();
    // Lets go of this thread's own wait, and calls whoever has to go on with what it did.
    announce(memory);
  }
}

/** The error for a name that was not declared in the pool's options. */
export function undeclared(call: string, what: string, all: Iterable<string>, name: unknown): PagePoolError {
  const names = [...all].join(', ') || 'none';
  const rule = `${what} of the pool's options: ${names}`;
  return invalidArgument(call, 'name', name, rule, 'declare it when the pool is created');
}
