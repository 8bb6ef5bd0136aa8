// Rewrites reads and writes of elements: what is read is remembered, and before a write a thread may stop and die.

import type { AnyNode, MemberExpression } from 'acorn';
import { DEATH, isElement, nameOf, type Place, VIEWS } from './place.js';
import { assignedIn, carriedBy, type Loop, methodName } from './variables.js';

/** An element, read: any, since a local array's may be what was read before. */
export function visitElement(place: Place, node: MemberExpression & AnyNode): void {
  const parent = place.parent(1);
  if (node.optional) place.refuse(node, 'an optional element');
  if (parent === undefined || isTarget(parent, node)) return;
  if (place.isRewriting) place.wrap(node, '$.read(', ')');
}

function isTarget(parent: AnyNode, node: AnyNode): boolean {
  if (parent.type === 'AssignmentExpression') return parent.left === node;
  if (parent.type === 'UpdateExpression') return true;
  return parent.type === 'UnaryExpression' && parent.operator === 'delete';
}

/** `x = value`, `x += value` and the like. */
export function visitAssignment(place: Place, node: Extract<AnyNode, { type: 'AssignmentExpression' }>): void {
  const { left, operator, right } = node;
  if (left.type !== 'MemberExpression') {
    checkVariables(place, node, left);
    return;
  }
  if (!left.computed) {
    visitField(place, left);
    return;
  }
  visitTarget(place, left);
  if (['||=', '&&=', '??='].includes(operator)) place.refuse(node, `${operator} on an element`);
  if (!place.isRewriting) return;
  if (place.options.deaths) place.wrap(right, '$.value((', `), ${DEATH})`);
  if (operator !== '=' && place.parent(1)?.type !== 'ExpressionStatement') place.wrap(node, '$.read(', ')');
}

/** `x++` and the like. */
export function visitUpdate(place: Place, node: Extract<AnyNode, { type: 'UpdateExpression' }>): void {
  const { argument } = node;
  if (argument.type !== 'MemberExpression') checkVariables(place, node, argument);
  else if (!argument.computed) visitField(place, argument);
  else {
    visitTarget(place, argument);
    if (place.isRewriting) place.wrap(node, place.options.deaths ? `(${DEATH}, $.read(` : '($.read(', '))');
  }
}

/** An element that is written. Elements of views are shared words, those of local arrays follow from what was read. */
function visitTarget(place: Place, { object }: MemberExpression): void {
  if (!VIEWS.has(nameOf(object))) {
    place.hasHiddenState = true;
    if (object.type !== 'Identifier')
      place.refuse(object, `a write of an element (expected of a local array or of ${[...VIEWS].join(', ')})`);
  }
  if (place.owner === undefined) place.refuse(object, 'a write while the module loads');
  if (place.options.deaths) place.suspends('a write');
}

/** A field that is assigned: one of `this` is listed, one of a local object follows from what was read. */
function visitField(place: Place, { object, property }: MemberExpression): void {
  const { owner } = place;
  if (owner === undefined || (owner.method?.kind === 'constructor' && object.type === 'ThisExpression')) return;
  const name = methodName(property);
  if (object.type === 'ThisExpression') {
    place.fields.add(name);
    owner.isAssigning = true;
    place.assigning.add(place.ancestors.findLast(({ type }) => /^Class(Declaration|Expression)$/.test(type))!);
    return;
  }
  place.hasHiddenState = true;
  // A method's object might be kept from call to call.
  if (object.type !== 'Identifier' || owner.method !== undefined || !place.isLocal(object.name))
    place.refuse(object, `an assignment of a field ${name} of something that is not this`);
}

/** A variable that is assigned: one of the module would be hidden state. */
function checkVariables(place: Place, node: AnyNode, target: AnyNode): void {
  if (place.owner === undefined) return;
  const names = target.type === 'Identifier' ? [target.name] : [...assignedIn({ ...node, right: target } as AnyNode)];
  for (const name of names) {
    if (!place.isLocal(name)) place.refuse(node, `an assignment of ${name}, a variable of the module`);
    if (!place.owner.locals.has(name)) place.hasHiddenState = true;
  }
}

/** Patterns that assign elements. */
export function visitArrayPattern(place: Place, node: Extract<AnyNode, { type: 'ArrayPattern' }>): void {
  if (node.elements.some((element) => element !== null && isElement(element)))
    place.refuse(node, 'an element as the target of a pattern');
}

/** What a for-of loop or a spread goes through. */
export function visitIterated(place: Place, node: AnyNode): void {
  if (place.isRewriting && node.type !== 'CallExpression') place.wrap(node, '$.object(', ')');
}

/** A loop in what suspends: each turn begins with what the loop began with, and the variables that it carries. */
export function visitLoop(place: Place, node: Loop): void {
  const { owner } = place;
  if (!place.isRewriting || owner?.why === undefined || !place.mayForget) return;
  const variables = carriedBy(node, owner.node);
  if (variables === undefined) return;
  const name = `$loop${node.start}`;
  const turn = `$.turn(${[name, ...variables].join(', ')}${place.fieldArguments});`;
  let outer: AnyNode = node;
  for (let i = 1; place.parent(i)?.type === 'LabeledStatement'; i++) outer = place.parent(i)!;
  place.wrap(outer, `{ const ${name} = $.loop(${node.start}); `, ' }');
  if (node.body.type === 'BlockStatement') place.text.appendRight(node.body.start + 1, ` ${turn}`);
  else place.wrap(node.body, `{ ${turn} `, ' }');
}
