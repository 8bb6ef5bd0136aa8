// The course of a generator that can be put back to where it stood.
//
// A generator cannot be copied. It goes on by what it reads alone, so one that is made anew and finds the same words at
// each of its parts comes to the same place: a course remembers the words before each part. Whoever explores goes back
// to a state by saying where each course stands; only one that goes on from there is made anew.

import { type Reads, suspension } from './suspend/suspension.js';
import type { Words } from './words.js';

/** A point of a course: the part that led there, after the one before. */
export interface Point {
  readonly before: Point | undefined;
  /** The words before the part. */
  readonly words: Uint32Array;
  /** What was read before it. */
  readonly a: number;
  readonly b: number;
  readonly deaths: boolean;
  /** Makes a generator: the part is its beginning. */
  readonly make: (() => unknown) | undefined;
  readonly sent: number | undefined;
}

/** Generators of one thread, one after the other. */
export class Course {
  private point: Point | undefined;
  /** Where the generator stands; null: somebody may have changed what it made. */
  private live: Point | undefined | null;
  private isShown = false;
  /** A part is being performed: what it has made is its own. */
  private isRunning = false;
  private generator: Iterator<unknown, unknown, unknown> | undefined;
  /** What the calls that the generator is in began with. */
  private readonly calls: number[] = [];

  /** `fresh` is called before everything is done again from the start. */
  constructor(
    private readonly words: Words,
    private readonly reads: Reads,
    private readonly fresh: () => void = () => {},
  ) {}

  /** Where it stands. */
  get at(): Point | undefined {
    return this.point;
  }

  set at(point: Point | undefined) {
    this.point = point;
    if (this.isShown) this.live = null;
    this.isShown = false;
  }

  /** What `make` returns: a generator, which goes on with `next`, or what is over at once. */
  begin(make: () => unknown): unknown {
    if (this.point !== undefined) this.goBack();
    else this.fresh();
    return this.go(make, undefined);
  }

  /** One more part of the generator. */
  next(sent: number | undefined): IteratorResult<unknown, unknown> {
    this.goBack();
    return this.go(undefined, sent) as IteratorResult<unknown, unknown>;
  }

  /** Somebody asks for what the generators have made, and may change it until the course is put anywhere. */
  show(): void {
    if (this.isRunning) return;
    this.goBack();
    this.isShown = true;
  }

  private go(make: Point['make'], sent: number | undefined): unknown {
    const { a, b } = this.reads;
    const { deaths } = suspension;
    const point: Point = { before: this.point, words: this.words.before(), a, b, deaths, make, sent };
    const value = this.perform(point);
    this.point = point;
    this.live = point;
    return value;
  }

  private perform({ make, sent }: Point): unknown {
    if (make !== undefined) this.calls.length = 0;
    this.isRunning = true;
    suspension.enter(this.reads, this.calls);
    const value = make === undefined ? this.generator!.next(sent) : make();
    suspension.leave(this.reads);
    this.isRunning = false;
    if (make !== undefined) this.generator = value as typeof this.generator;
    return value;
  }

  /** The generator comes to where the course stands. */
  private goBack(): void {
    if (this.live === this.point) return;
    const points: Point[] = [];
    for (let { point } = this; point !== undefined; point = point.before) points.push(point);
    const { a, b } = this.reads;
    const { deaths } = suspension;
    this.fresh();
    this.words.aside((set) => {
      for (let i = points.length - 1; i >= 0; i--) {
        const point = points[i]!;
        set(point.words);
        this.reads.a = point.a;
        this.reads.b = point.b;
        suspension.deaths = point.deaths;
        this.perform(point);
      }
    });
    suspension.deaths = deaths;
    this.reads.a = a;
    this.reads.b = b;
    this.live = this.point;
  }
}
