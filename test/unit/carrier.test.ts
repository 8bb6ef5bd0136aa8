// The carrier: how a change of a pool's areas reaches each thread, on every kind of platform, and what is left of it.
//
// Other platforms are what they lack, or have beside: `Bun` is there and nothing else changes, a worker has a scope.

import * as threads from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Carrier } from '../../src/supply/carrier.js';
import { turns, until } from '../support/waiting.js';

let name: string;
let round = 0;
const open: Carrier[] = [];

/** One thread's end, and what it heard. */
function end(of = name): { carrier: Carrier; heard: unknown[] } {
  const heard: unknown[] = [];
  const carrier = new Carrier(of, (message) => void heard.push(message));
  open.push(carrier);
  return { carrier, heard };
}

const listeners = (): number => process.listenerCount('workerMessage' as never);

beforeEach(() => {
  name = `carrier ${process.pid} ${round++}`;
});
afterEach(() => {
  for (const carrier of open.splice(0)) carrier.close();
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

describe('where a thread can fetch at once', () => {
  it('has what was posted before, oldest first, each once, and nothing of its own or of another pool', async () => {
    const [one, other, stranger] = [end(), end(), end(`${name} else`)];
    expect([one.carrier.canPull, other.carrier.canPull]).toEqual([true, true]);
    one.carrier.post('first');
    one.carrier.post('second');
    other.carrier.pull();
    expect(other.heard).toEqual(['first', 'second']);
    other.carrier.pull();
    one.carrier.pull();
    stranger.carrier.pull();
    await turns(2);
    expect([one.heard, other.heard, stranger.heard]).toEqual([[], ['first', 'second'], []]);
  });

  it('hears by its event loop as well', async () => {
    const [one, other] = [end(), end()];
    one.carrier.post({ epoch: 1 });
    await until(() => other.heard.length > 0);
    expect(other.heard).toEqual([{ epoch: 1 }]);
  });

  it('needs no line, and hears nothing once it is closed', async () => {
    const [one, other] = [end(), end()];
    const before = listeners();
    const post = vi.fn(() => Promise.resolve());
    vi.spyOn(process, 'getBuiltinModule').mockReturnValue({ ...threads, postMessageToThread: post } as never);
    one.carrier.takeLines(() => {});
    const asking = end();
    asking.carrier.openLine(threads.threadId + 1, 1);
    expect([listeners(), post.mock.calls]).toEqual([before, []]);
    other.carrier.close();
    other.carrier.close();
    one.carrier.post('late');
    await turns(2);
    expect(other.heard).toEqual([]);
  });

  it('holds nothing where there are no channels', () => {
    vi.spyOn(process, 'getBuiltinModule').mockReturnValue(undefined as never);
    vi.stubGlobal('BroadcastChannel', undefined);
    const { carrier, heard } = end();
    expect(carrier.canPull).toBe(false);
    carrier.post('nowhere');
    carrier.pull();
    expect(heard).toEqual([]);
  });
});

describe('where a thread fetches from a line alone', () => {
  type Greeting = { kind: string; name: string; id: number; line: threads.MessagePort };
  let sent: [thread: number, greeting: Greeting, transfer: unknown[], ms: number][];
  let refused: boolean;

  beforeEach(() => {
    vi.stubGlobal('Bun', {});
    sent = [];
    refused = false;
    // What the runtime delivers to another thread is delivered by the test.
    const postMessageToThread = (...call: (typeof sent)[number]) => {
      sent.push(call);
      return refused ? Promise.reject(new Error('nobody listens')) : Promise.resolve();
    };
    vi.spyOn(process, 'getBuiltinModule').mockReturnValue({ ...threads, postMessageToThread } as never);
  });

  const deliver = (greeting: unknown): boolean => process.emit('workerMessage' as never, greeting as never);
  const OWNER = threads.threadId + 1;

  /** An owner that takes lines and answers `first`, and a thread that has sent its line. */
  function connected(id = 3) {
    const [owner, thread] = [end(), end()];
    const begun = vi.fn((post: (message: unknown) => void) => post('first'));
    owner.carrier.takeLines(begun);
    thread.carrier.openLine(OWNER, id);
    deliver(sent.at(-1)?.[1]);
    return { owner, thread, begun };
  }

  it('cannot fetch before the owner has answered, and can from then on', () => {
    const { owner, thread, begun } = connected();
    expect(begun).toHaveBeenCalledTimes(1);
    expect(thread.carrier.canPull).toBe(false);
    thread.carrier.pull();
    expect([thread.heard, thread.carrier.canPull]).toEqual([['first'], true]);
    owner.carrier.post('second');
    owner.carrier.post('third');
    thread.carrier.pull();
    expect(thread.heard).toEqual(['first', 'second', 'third']);
    expect(owner.heard).toEqual([]);
  });

  it('sends the line with its pool, its port and how long it may take', () => {
    connected(7);
    expect(sent.length).toBe(1);
    const [thread, greeting, transfer, ms] = sent[0] as (typeof sent)[number];
    expect([thread, greeting.kind, greeting.name, greeting.id, ms]).toEqual([OWNER, 'pagepool-line', name, 7, 1000]);
    expect(transfer).toEqual([greeting.line]);
  });

  it('has no message twice for long: what is broadcast empties the line first', async () => {
    const { owner, thread } = connected();
    owner.carrier.post('second');
    await until(() => thread.heard.length >= 3);
    expect(thread.heard).toEqual(['first', 'second', 'second']);
  });

  it.each([
    ['an owner without a number', -1],
    ['itself', threads.threadId],
  ])('sends no line to %s', (_, owner) => {
    end().carrier.openLine(owner, 1);
    expect(sent).toEqual([]);
    end().carrier.openLine(OWNER, 1);
    expect(sent.length).toBe(1);
  });

  it('sends one to thread 0, the first of a process', () => {
    vi.spyOn(process, 'getBuiltinModule').mockReturnValue({
      ...threads,
      threadId: 5,
      postMessageToThread: (...call: (typeof sent)[number]) => {
        sent.push(call);
        return Promise.resolve();
      },
    } as never);
    end().carrier.openLine(0, 1);
    expect(sent.length).toBe(1);
  });

  it.each(['MessageChannel', 'receiveMessageOnPort'])('sends none where the runtime has no %s', (missing) => {
    const post = vi.fn(() => Promise.resolve());
    vi.spyOn(process, 'getBuiltinModule').mockReturnValue({
      ...threads,
      postMessageToThread: post,
      [missing]: undefined,
    } as never);
    const { carrier } = end();
    carrier.openLine(OWNER, 1);
    carrier.pull();
    expect(post).not.toHaveBeenCalled();
    expect(carrier.canPull).toBe(false);
  });

  it('goes on without an answer where nobody listens', async () => {
    refused = true;
    const { carrier, heard } = end();
    carrier.openLine(OWNER, 1);
    await turns(2); // a rejection that nobody handles fails the run
    carrier.pull();
    expect([heard, carrier.canPull]).toEqual([[], false]);
  });

  it('lets a later thread of the same port take the place of the line', () => {
    const { owner, thread } = connected(3);
    const again = end();
    again.carrier.openLine(OWNER, 3);
    const closed = vi.spyOn(sent[0]?.[1].line as threads.MessagePort, 'close');
    deliver(sent[1]?.[1]);
    expect(closed).toHaveBeenCalledTimes(1);
    thread.carrier.pull();
    owner.carrier.post('new');
    thread.carrier.pull();
    again.carrier.pull();
    expect(thread.heard).toEqual(['first']);
    expect(again.heard).toEqual(['first', 'new']);
  });

  it('has one listener for all pools of the thread, which goes with the last', () => {
    const before = listeners();
    const [one, other] = [end(), end(`${name} other`)];
    const [mine, theirs] = [vi.fn(), vi.fn()];
    one.carrier.takeLines(mine);
    other.carrier.takeLines(theirs);
    expect(listeners()).toBe(before + 1);
    const line = { postMessage() {}, close() {} };
    for (const greeting of [null, undefined, 5, {}, { kind: 'else', name, line }]) deliver(greeting);
    deliver({ kind: 'pagepool-line', name: `${name} nobody`, line });
    expect(mine).not.toHaveBeenCalled();
    deliver({ kind: 'pagepool-line', name, id: 1, line });
    expect([mine.mock.calls.length, theirs.mock.calls.length]).toEqual([1, 0]);
    one.carrier.close();
    expect(listeners()).toBe(before + 1);
    one.carrier.close(); // again
    expect(listeners()).toBe(before + 1);
    other.carrier.close();
    expect(listeners()).toBe(before);
    other.carrier.close();
    expect(listeners()).toBe(before);
  });

  it('forgets a line that cannot be posted to, and posts to the others', () => {
    const owner = end();
    owner.carrier.takeLines(() => {});
    const posts = vi.fn();
    let tries = 0;
    const dead = {
      close() {},
      postMessage: () => {
        tries++;
        throw new Error('its thread has ended');
      },
    };
    deliver({ kind: 'pagepool-line', name, id: 1, line: dead });
    deliver({ kind: 'pagepool-line', name, id: 2, line: { close() {}, postMessage: posts } });
    owner.carrier.post('one');
    owner.carrier.post('two');
    expect([tries, posts.mock.calls]).toEqual([1, [['one'], ['two']]]);
  });

  it('closes its lines, those of the owner and that of the thread, and posts to none after that', () => {
    const { owner, thread } = connected();
    const line = vi.fn();
    const close = vi.fn();
    deliver({ kind: 'pagepool-line', name, id: 9, line: { close, postMessage: line } });
    owner.carrier.close();
    expect(close).toHaveBeenCalledTimes(1);
    owner.carrier.close();
    expect(close).toHaveBeenCalledTimes(1);
    expect(() => owner.carrier.post('late')).toThrow(); // a closed channel refuses
    expect(line.mock.calls).toEqual([['first']]);
    thread.carrier.close();
    expect(threads.receiveMessageOnPort(sent[0]?.[1].line as threads.MessagePort)).toBeUndefined();
  });
});

describe('where what is broadcast arrives empty', () => {
  /** A worker as the thread that started it sees it, and the scope that its own code has. */
  function worker() {
    const target = new EventTarget();
    const seen: unknown[] = [];
    const transfers: unknown[][] = [];
    const scope = (message: unknown, transfer: unknown[]): void => {
      transfers.push(transfer);
      target.dispatchEvent(Object.assign(new Event('message'), { data: message, ports: transfer }));
    };
    return {
      target,
      seen,
      scope,
      transfers,
      hear: () => target.addEventListener('message', (event) => seen.push(event)),
    };
  }

  it('asks the thread that started it, once, and hears by that port what is posted, and passes it on', async () => {
    const { target, seen, scope, transfers, hear } = worker();
    const parent = end();
    parent.carrier.listen(target);
    parent.carrier.listen(target); // again: one listener
    hear();
    vi.stubGlobal('WorkerGlobalScope', class {});
    vi.stubGlobal('postMessage', scope);
    // A pool of another name in that worker: the channels do not meet, as where nothing is delivered.
    vi.stubGlobal('BroadcastChannel', undefined);
    vi.spyOn(process, 'getBuiltinModule').mockReturnValue(undefined as never);
    const child = end();
    expect(child.carrier.connect()).toBe(true);
    expect(child.carrier.connect()).toBe(false);
    expect(transfers.map((each) => each.length)).toEqual([1]);
    expect(seen).toEqual([]); // it is none of the program's messages
    parent.carrier.post('by the port');
    await until(() => child.heard.length > 0);
    await turns(2);
    expect(child.heard).toEqual(['by the port']);
    // Closed, the worker's end hears no more, and the parent's listener is gone.
    child.carrier.close();
    parent.carrier.close();
    target.dispatchEvent(Object.assign(new Event('message'), { data: { kind: 'pagepool-carrier', name }, ports: [] }));
    expect(seen.length).toBe(1);
  });

  it('passes on what it hears, but an empty message, to the workers behind it', async () => {
    const { target } = worker();
    const [far, near] = [end(), end()];
    const ports = [{ close: vi.fn(), postMessage: vi.fn() }];
    near.carrier.listen(target);
    target.dispatchEvent(Object.assign(new Event('message'), { data: { kind: 'pagepool-carrier', name }, ports }));
    far.carrier.post('far');
    far.carrier.post(null);
    await until(() => near.heard.length === 2);
    expect(near.heard).toEqual(['far', null]);
    expect(ports[0]?.postMessage.mock.calls).toEqual([['far']]);
    near.carrier.post('own');
    expect(ports[0]?.postMessage.mock.calls).toEqual([['far'], ['own']]);
    near.carrier.close();
    expect(ports[0]?.close).toHaveBeenCalledTimes(1);
    near.carrier.close();
    expect(ports[0]?.close).toHaveBeenCalledTimes(1);
  });

  it.each([
    ['null', null],
    ['another kind', () => ({ kind: 'pagepool-line', name })],
    ['another pool', () => ({ kind: 'pagepool-carrier', name: `${name} else` })],
  ])('leaves the program its own messages: %s', (_, data) => {
    const { target, seen, hear } = worker();
    const { carrier } = end();
    carrier.listen(target);
    hear();
    const port = { close: vi.fn(), postMessage: vi.fn() };
    const message = typeof data === 'function' ? data() : data;
    target.dispatchEvent(Object.assign(new Event('message'), { data: message, ports: [port] }));
    expect(seen.length).toBe(1);
    carrier.post('x');
    expect(port.postMessage).not.toHaveBeenCalled();
  });

  it('listens to workers that have events, and to nothing else', () => {
    const { carrier } = end();
    carrier.listen({ on() {} });
    const add = vi.fn();
    const remove = vi.fn();
    const target = { addEventListener: add, removeEventListener: remove };
    carrier.listen(target);
    carrier.listen(target);
    expect(add.mock.calls.map(([event]) => event)).toEqual(['message']);
    carrier.close();
    carrier.close();
    expect(remove.mock.calls).toEqual(add.mock.calls);
  });

  it('asks nobody where it is no worker, or cannot post', () => {
    const { carrier } = end();
    const post = vi.fn();
    vi.stubGlobal('postMessage', post);
    expect(carrier.connect()).toBe(false);
    vi.stubGlobal('WorkerGlobalScope', class {});
    vi.stubGlobal('postMessage', undefined);
    expect(carrier.connect()).toBe(false);
    expect(post).not.toHaveBeenCalled();
    vi.stubGlobal('postMessage', post);
    expect(carrier.connect()).toBe(true);
    expect(post.mock.calls).toEqual([[{ kind: 'pagepool-carrier', name }, [expect.anything()]]]);
  });
});

it('keeps one channel open where a channel that opens behind the last one would hear nothing', () => {
  vi.stubGlobal('Deno', {});
  const names: string[] = [];
  const unref = vi.fn();
  class Channel {
    onmessage = null;
    constructor(of: string) {
      names.push(of);
    }
    unref = unref;
    close() {}
    postMessage() {}
  }
  vi.spyOn(process, 'getBuiltinModule').mockReturnValue({ ...threads, BroadcastChannel: Channel } as never);
  const first = end();
  end();
  expect(names).toEqual(['pagepool', name, name]);
  expect(unref).toHaveBeenCalledTimes(3);
  expect(first.carrier.canPull).toBe(false);
});
