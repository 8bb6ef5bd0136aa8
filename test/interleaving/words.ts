// The words of a pool that schedules change, as they are and as they were before steps.

/** The first words of a memory. */
export class Words {
  private readonly now: Uint32Array;
  /** By step of the path: the words before it, and before whatever else began in it. */
  private readonly written: Uint32Array[][] = [];
  private readonly spare: Uint32Array;
  /** Of the step that is being made. */
  private step: Uint32Array[] = [];
  private used = 0;
  /** The words before the step that is being made, as long as nothing in it has run. */
  private untouched: Uint32Array | undefined;

  constructor(u32: Uint32Array, length: number) {
    this.now = u32.subarray(0, length);
    this.spare = new Uint32Array(length);
  }

  copy(): Uint32Array {
    return this.now.slice();
  }

  /** Step number `step` of the path begins. What was written for another step of that number is no longer needed. */
  begin(step: number): void {
    this.written[step] ??= [];
    this.step = this.written[step];
    this.used = 0;
    this.untouched = undefined;
  }

  /** The same, and `load` goes back to here. */
  save(step: number): void {
    this.begin(step);
    this.untouched = this.write();
  }

  /** The words are as they were saved when the step began. */
  load(step: number): void {
    this.begin(step);
    this.used = 1;
    this.untouched = this.step[0]!;
    this.now.set(this.untouched);
  }

  /** Something runs. */
  touch(): void {
    this.untouched = undefined;
  }

  /** Something runs: the words before it, which stay as they are for as long as the step is on the path. */
  before(): Uint32Array {
    const before = this.untouched ?? this.write();
    this.untouched = undefined;
    return before;
  }

  /** What `run` does to the words is undone. It sets them by the function that it is given. */
  aside(run: (set: (words: Uint32Array) => void) => void): void {
    const { now, untouched, spare } = this;
    if (untouched === undefined) spare.set(now);
    run((words) => now.set(words));
    now.set(untouched ?? spare);
  }

  private write(): Uint32Array {
    this.step[this.used] ??= new Uint32Array(this.now.length);
    const words = this.step[this.used++]!;
    words.set(this.now);
    return words;
  }
}
