// The variables and fields of a program: what is declared and assigned where, and what a loop carries from turn to
// turn.

import type { AnyNode, Function as FunctionNode, Pattern, Program } from 'acorn';
import { full } from 'acorn-walk';

/** A loop whose turns can be told apart by its variables; what for-of and for-in iterate is hidden. */
export type Loop = Extract<AnyNode, { type: 'WhileStatement' | 'DoWhileStatement' | 'ForStatement' }>;

/** The name of a method or a field; private ones begin with #. */
export function methodName(key: AnyNode): string {
  if (key.type === 'PrivateIdentifier') return `#${key.name}`;
  return key.type === 'Identifier' ? key.name : '';
}

/** Names that a pattern declares or assigns. */
export function namesIn(pattern: Pattern | null, names: string[] = []): string[] {
  switch (pattern?.type) {
    case 'Identifier':
      names.push(pattern.name);
      break;
    case 'ObjectPattern':
      for (const property of pattern.properties)
        namesIn(property.type === 'Property' ? property.value : property.argument, names);
      break;
    case 'ArrayPattern':
      for (const element of pattern.elements) namesIn(element, names);
      break;
    case 'AssignmentPattern':
      namesIn(pattern.left, names);
      break;
    case 'RestElement':
      namesIn(pattern.argument, names);
      break;
  }
  return names;
}

/** Every name that is declared below a node, as often as it is. */
export function declaredIn(node: AnyNode): string[] {
  const names: string[] = [];
  full(node, (inner) => {
    if (inner.type === 'VariableDeclarator') namesIn(inner.id, names);
    if (inner.type === 'CatchClause') namesIn(inner.param ?? null, names);
    if (inner.type === 'FunctionDeclaration' && inner.id) names.push(inner.id.name);
  });
  return names;
}

/** Every name of a variable that is assigned below a node. */
export function assignedIn(node: AnyNode): Set<string> {
  const names: string[] = [];
  full(node, (inner) => {
    if (inner.type === 'AssignmentExpression') namesIn(inner.left, names);
    if (inner.type === 'UpdateExpression' && inner.argument.type === 'Identifier') names.push(inner.argument.name);
    if (inner.type === 'ForOfStatement' || inner.type === 'ForInStatement') {
      if (inner.left.type !== 'VariableDeclaration') namesIn(inner.left, names);
    }
  });
  return new Set(names);
}

/** The variables that one turn of a loop may leave to the next; undefined where a name stands for several. */
export function carriedBy(loop: Loop, owner: FunctionNode): string[] | undefined {
  const inside = declaredIn(loop.body);
  const everywhere = [...owner.params.flatMap((param) => namesIn(param)), ...declaredIn(owner.body)];
  const carried: string[] = [];
  for (const name of assignedIn(loop)) {
    const own = inside.filter((declared) => declared === name).length;
    const all = everywhere.filter((declared) => declared === name).length;
    if (own === 0) carried.push(name);
    else if (all > own) return undefined;
  }
  return carried.sort();
}

/** Whether the classes are one object's: each extends the one before. */
export function areOneObject(program: Program, classes: ReadonlySet<AnyNode>): boolean {
  const parents = new Map<string, string | undefined>();
  const names = new Map<AnyNode, string>();
  const add = (name: string, node: Extract<AnyNode, { type: 'ClassDeclaration' | 'ClassExpression' }>): void => {
    parents.set(name, node.superClass?.type === 'Identifier' ? node.superClass.name : undefined);
    names.set(node, name);
  };
  full(program, (node) => {
    if (node.type === 'ClassDeclaration' && node.id) add(node.id.name, node);
    if (node.type === 'VariableDeclarator' && node.id.type === 'Identifier' && node.init?.type === 'ClassExpression')
      add(node.id.name, node.init);
  });
  const lineOf = (name: string | undefined): string[] =>
    name === undefined ? [] : [name, ...lineOf(parents.get(name))];
  const lines = [...classes].map((node) => lineOf(names.get(node)));
  const longest = lines.reduce((a, b) => (b.length > a.length ? b : a), []);
  return lines.every(([name]) => name !== undefined && longest.includes(name));
}
