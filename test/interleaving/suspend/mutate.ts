// Seeded faults that are found by what they break, not by its text: so that the code around them may change.

import { type AnyNode, type CallExpression, type MethodDefinition, parse } from 'acorn';
import { full } from 'acorn-walk';
import MagicString from 'magic-string';

/** A compare-exchange becomes a store that is taken for one: what was there meanwhile is overwritten. */
export interface ExchangeByStore {
  /** Where the method stands, for whoever reads of the fault. */
  readonly file: string;
  /** A method of the TypeScript engine. */
  readonly method: string;
  /** Which compare-exchange of the method, from 0. */
  readonly exchange: number;
}

/** The bundle with the faults. */
export function mutate(source: string, faults: readonly ExchangeByStore[]): string {
  const text = new MagicString(source);
  const program = parse(source, { ecmaVersion: 2024, sourceType: 'module' });
  for (const { file, method, exchange } of faults) {
    const found: CallExpression[] = [];
    full(program, (node) => {
      if (node.type === 'MethodDefinition' && isNamed(node, method)) found.push(...exchangesIn(node.value));
    });
    const call = found.sort((a, b) => a.start - b.start)[exchange];
    if (call === undefined)
      throw new Error(`${file}: ${method} has ${found.length} exchanges (expected more than exchange=${exchange})`);
    const [address, seen, next] = call.arguments.map(({ start, end }) => source.slice(start, end));
    text.overwrite(call.start, call.end, `(this.astore(${address}, ${next}), ${seen})`);
  }
  return text.toString();
}

function isNamed({ key, computed }: MethodDefinition, name: string): boolean {
  return !computed && key.type === 'Identifier' && key.name === name;
}

function exchangesIn(node: AnyNode): CallExpression[] {
  const found: CallExpression[] = [];
  full(node, (inner) => {
    if (inner.type !== 'CallExpression' || inner.callee.type !== 'MemberExpression') return;
    const { object, property } = inner.callee;
    if (object.type === 'ThisExpression' && property.type === 'Identifier' && property.name === 'acas')
      found.push(inner);
  });
  return found;
}
