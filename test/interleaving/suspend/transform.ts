// Turns bundled TypeScript into code that can be stopped: methods and functions that touch shared words become
// generators.
//
//   onStep?.(address)             ->  a yield, and the thread goes on when it is resumed: the atomic access follows
//   this.x(...), x(...)           ->  yield* this.x(...), where x is one that became a generator
//   i32[...] = value              ->  the same, with a yield `plain` before the store where deaths are explored
//   i32[...], Atomics.load(...)   ->  the same, and the value read is remembered (suspension.ts)
//
// What neither takes steps nor calls what does stays a plain function, with its reads remembered. Everything that this
// folder does not know how to rewrite is an error that names the place: nothing is passed over in silence.

import type { AnyNode } from 'acorn';
import { fullAncestor } from 'acorn-walk';
import { visitArrayPattern, visitAssignment, visitElement, visitIterated, visitLoop, visitUpdate } from './accesses.js';
import { visitCall, visitDeclarator, visitNew, visitReference } from './calls.js';
import type { Owner } from './functions.js';
import { isElement, Place, type TransformOptions } from './place.js';
import { areOneObject } from './variables.js';

/** Rewritten code. */
export interface Transformed {
  /** The body of a function of `$` (suspension.ts) that returns the module's exports. */
  readonly code: string;
  /** Names of the methods and functions that are generators now. */
  readonly suspending: ReadonlySet<string>;
  /** Fields that methods assign: what an object remembers from call to call. */
  readonly fields: readonly string[];
  /** What is read inside calls and turns of loops is forgotten after them. */
  readonly isForgetting: boolean;
}

/** Rewrites a module that imports nothing. */
export function transform(source: string, options: TransformOptions): Transformed {
  const place = new Place(source, options);
  walk(place);
  place.functions.settle(({ node }, why) => place.refuse(node, why));
  // Fields of one object can be taken in, of several not.
  const isForeign = (key: string): boolean => place.functions.isSuspending(key) || place.functions.isAssigning(key);
  place.hasHiddenState ||= !areOneObject(place.program, place.assigning) || [...place.foreign].some(isForeign);
  place.isRewriting = true;
  walk(place);
  for (const owner of place.functions.all) makeGenerator(place, owner);
  return {
    code: place.text.toString(),
    suspending: place.functions.suspendingNames,
    fields: [...place.fields].sort(),
    isForgetting: !place.hasHiddenState,
  };
}

function walk(place: Place): void {
  fullAncestor(place.program, (node, _, ancestors) => {
    place.ancestors = ancestors;
    visit(place, node);
  });
}

function visit(place: Place, node: AnyNode): void {
  switch (node.type) {
    case 'CallExpression':
      visitCall(place, node);
      break;
    case 'NewExpression':
      visitNew(place, node.callee);
      break;
    case 'MemberExpression':
      if (node.computed) visitElement(place, node);
      else if (node.property.type === 'Identifier') visitReference(place, node, node.property.name);
      break;
    case 'AssignmentExpression':
      visitAssignment(place, node);
      break;
    case 'UpdateExpression':
      visitUpdate(place, node);
      break;
    case 'UnaryExpression':
      if (node.operator === 'delete' && isElement(node.argument)) place.refuse(node, 'delete of an element');
      break;
    case 'VariableDeclarator':
      visitDeclarator(place, node);
      break;
    case 'ArrayPattern':
      visitArrayPattern(place, node);
      break;
    case 'ForOfStatement':
      visitIterated(place, node.right);
      break;
    case 'SpreadElement':
      if (place.parent(1)?.type !== 'ObjectExpression') visitIterated(place, node.argument);
      break;
    case 'WhileStatement':
    case 'DoWhileStatement':
    case 'ForStatement':
      visitLoop(place, node);
      break;
    case 'YieldExpression':
      visitYield(place, node);
      break;
    case 'TryStatement':
      place.hasHiddenState = true; // a call that ends by an error ends without being told
      break;
    case 'Identifier':
      visitIdentifier(place, node.name, node);
      break;
    case 'ExportNamedDeclaration':
      visitExport(place, node);
      break;
    case 'AwaitExpression':
    case 'TaggedTemplateExpression':
    case 'WithStatement':
    case 'ImportDeclaration':
    case 'ImportExpression':
    case 'ExportDefaultDeclaration':
    case 'ExportAllDeclaration':
    case 'StaticBlock':
      place.refuse(node, node.type);
  }
}

function visitYield(place: Place, node: Extract<AnyNode, { type: 'YieldExpression' }>): void {
  if (node.delegate && node.argument?.type !== 'CallExpression')
    place.refuse(node, 'yield* of something that is no call');
  // In a generator that only makes a list a yield is no step.
  if (!node.delegate && place.isRewriting && place.owner!.why !== undefined) place.wrap(node, '$.resume(', ')');
}

function visitIdentifier(place: Place, name: string, node: AnyNode): void {
  const parent = place.parent(1);
  if (name === 'arguments' || name === 'eval') place.refuse(node, name);
  const isCalled = parent?.type === 'MemberExpression' && place.parent(2)?.type === 'CallExpression';
  if (name === 'Atomics' && !isCalled) place.refuse(node, 'Atomics without a call of it');
  if (!place.isRewriting || parent === undefined || isName(parent, node)) return;
  if (parent.type === 'CallExpression' && parent.callee === node) return;
  const key = `function ${name}`;
  // Generators of the source may be passed on: whoever calls them has to write yield*.
  if (place.isLocal(name) || !place.functions.isSuspending(key) || place.functions.isGenerator(key)) return;
  place.refuse(node, `${name}, which suspends, is used without being called`);
}

/** Whether the identifier only names a property, a declaration or an export. */
function isName(parent: AnyNode, node: AnyNode): boolean {
  switch (parent.type) {
    case 'MemberExpression':
      return parent.property === node && !parent.computed;
    case 'Property':
      return parent.key === node && !parent.computed && !parent.shorthand;
    case 'MethodDefinition':
    case 'PropertyDefinition':
      return parent.key === node;
    case 'FunctionDeclaration':
      return parent.id === node;
    case 'ExportSpecifier':
      return true;
    default:
      return false;
  }
}

function visitExport(place: Place, node: Extract<AnyNode, { type: 'ExportNamedDeclaration' }>): void {
  if (node.declaration || node.source) place.refuse(node, 'an export with a declaration or a source');
  if (!place.isRewriting) return;
  const names = node.specifiers.map(({ local, exported }) => {
    if (local.type !== 'Identifier' || exported.type !== 'Identifier') place.refuse(node, 'a quoted export');
    return `${exported.name}: ${local.name}`;
  });
  place.text.overwrite(node.start, node.end, `return { ${names.join(', ')} };`);
}

function makeGenerator(place: Place, { node, why, isGenerator, method }: Owner): void {
  if (why === undefined || isGenerator) return;
  if (method !== undefined) place.text.prependLeft(method.key.start, '*');
  else place.text.prependLeft(node.start + 'function'.length, '*');
}
