// The two ends of a hand-off, as every variant implements them.

import type { Scenario } from './scenario.js';

/** The sending end. `shared` goes to the other end before anything is sent. */
export interface Sender {
  readonly shared?: unknown;
  /** Sends messages `first` to `first + count - 1`, with no more than the window on their way. */
  send(first: number, count: number): void | Promise<void>;
}

/** The receiving end: takes and checks messages `first` to `first + count - 1`. */
export type Receive = (first: number, count: number) => void | Promise<void>;

/** A way to hand messages over, one direction. */
export interface RateVariant {
  sender(scenario: Scenario, port: MessagePort): Sender | Promise<Sender>;
  receiver(scenario: Scenario, port: MessagePort, shared: unknown): Receive;
}

/** The calling end of a round trip: the message goes there and comes back, one at a time. */
export interface Caller {
  readonly shared?: unknown;
  /** Does so many round trips; between two calls of `lap` lies one. */
  call(first: number, count: number, lap: () => void): void | Promise<void>;
}

/** A way to hand messages there and back. */
export interface LatencyVariant {
  caller(scenario: Scenario, port: MessagePort): Caller | Promise<Caller>;
  /** Checks each message and sends it back. */
  answerer(scenario: Scenario, port: MessagePort, shared: unknown): Receive;
}
