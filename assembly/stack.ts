// Room on the stack, asked for before the first change of a call that is going to enter other functions.
//
// A program that catches the RangeError of an overflow lives on, and so does its port: a call that the stack ends in
// the middle would leave the same half-done words as a death, and no reaper comes. Calls that enter nothing behind
// their first store need not ask: a function throws when it is entered, or not at all. Which function this enters:
// src/platform/stack.ts. The model build asks for nothing.

// @ts-ignore: decorator
@external('env', 'touchStack')
declare function touch(levels: i32): void;

/** Levels beside the first: the frames of this core are small, and compiling them needs no room on this stack. */
const LEVELS: i32 = 0;

/** Throws the platform's RangeError when the stack has less room than any call of this core may need. */
// @ts-ignore: decorator
@inline
export function touchStack(): void {
  if (!isDefined(ASC_INTERLEAVE)) touch(LEVELS);
}
