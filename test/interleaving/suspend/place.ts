// Where the walk through a bundle stands, and what is known of the bundle so far: what every part of the rewriting
// shares.

import { type AnyNode, type Node, type Program, parse } from 'acorn';
import MagicString from 'magic-string';
import { FunctionTable, type Owner } from './functions.js';

/** How to rewrite. */
export interface TransformOptions {
  /** Whether threads may stop before plain writes, too; without, what only writes plainly stays a plain function. */
  readonly deaths: boolean;
  /** Code around the engine: each atomic is a step, without a hook before it, and calls of `engine` are asked for. */
  readonly around?: boolean;
  /** Forgets nothing that a call or a turn of a loop read: only to check the forgetting. */
  readonly remembersAll?: boolean;
}

/** What a plain write has before it. */
export const DEATH = '$.deaths && (yield "plain")';
/** Names of views of shared words. */
export const VIEWS = new Set(['i32', 'u32', 'u16', 'u8']);

/** The node that is visited, the bundle around it, and its new text. */
export class Place {
  readonly program: Program;
  readonly text: MagicString;
  readonly functions: FunctionTable;
  /** Fields that methods assign. */
  readonly fields = new Set<string>();
  /** The classes of those methods. */
  readonly assigning = new Set<AnyNode>();
  /** Methods that are called of other objects than `this`. */
  readonly foreign = new Set<string>();
  /** Something may change that is neither a shared word nor a variable nor a field of `this`. */
  hasHiddenState: boolean;
  /** The first walk finds out who suspends, the second one rewrites. */
  isRewriting = false;
  /** The node that is visited, last, and what it stands in. */
  ancestors: readonly AnyNode[] = [];

  constructor(
    readonly source: string,
    readonly options: TransformOptions,
  ) {
    this.hasHiddenState = options.remembersAll === true;
    this.program = parse(source, { ecmaVersion: 2024, sourceType: 'module', locations: true });
    this.text = new MagicString(source);
    this.functions = new FunctionTable(this.program);
  }

  /** 1: what the node stands in. */
  parent(distance: number): AnyNode | undefined {
    return this.ancestors.at(-1 - distance);
  }

  /** The function that the node stands in; undefined at the top. */
  get owner(): Owner | undefined {
    return this.owners.at(-1);
  }

  /** The functions that the node stands in, the innermost last. */
  get owners(): readonly Owner[] {
    return this.ancestors.slice(0, -1).flatMap((node) => this.functions.ownerOf(node) ?? []);
  }

  /** Whether a function around the node declares the name. */
  isLocal(name: string): boolean {
    return this.owners.some(({ locals }) => locals.has(name));
  }

  /** The function around the node has something for which it must be able to stop. */
  suspends(why: string): void {
    const { owner } = this;
    if (owner === undefined) this.refuse(this.ancestors.at(-1)!, `${why} while the module loads`);
    this.refuseInParameters(this.ancestors.at(-1)!);
    if (!this.isRewriting) owner.why ??= why;
  }

  refuseInParameters(node: AnyNode): void {
    const isInside = this.owner?.node.params.some((param) => node.start >= param.start && node.end <= param.end);
    if (isInside === true) this.refuse(node, 'a step in the default of a parameter');
  }

  /** Whether what was read may be forgotten: outside methods there is no `this` whose fields could be taken in. */
  get mayForget(): boolean {
    return !this.hasHiddenState && (this.fields.size === 0 || this.owner?.method !== undefined);
  }

  /** The fields that methods assign, as further arguments of a call. */
  get fieldArguments(): string {
    return [...this.fields].map((field) => `, this.${field}`).join('');
  }

  /** Later calls are of nodes around earlier ones: the walk goes from the inside out. */
  wrap(node: AnyNode, before: string, after: string): void {
    this.text.prependRight(node.start, before);
    this.text.appendLeft(node.end, after);
  }

  refuse(node: Node, what: string): never {
    const { line, column } = node.loc!.start;
    const text = this.source.slice(node.start, node.end).split('\n')[0]!.slice(0, 100);
    throw new Error(`${what} at ${line}:${column} of the bundle (expected what can be rewritten): ${text}`);
  }
}

/** The name of a variable, or of a field of something. */
export function nameOf(node: AnyNode): string {
  if (node.type === 'Identifier') return node.name;
  const isField = node.type === 'MemberExpression' && !node.computed && node.property.type === 'Identifier';
  return isField && node.property.type === 'Identifier' ? node.property.name : '';
}

/** An element of something. */
export function isElement(node: AnyNode): boolean {
  return node.type === 'MemberExpression' && node.computed;
}
