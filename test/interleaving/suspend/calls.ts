// Rewrites calls: those of what suspends get a yield*, those of what is not rewritten are checked.

import type { AnyNode, CallExpression, MemberExpression } from 'acorn';
import { DEATH, nameOf, type Place, VIEWS } from './place.js';
import { assignedIn, methodName } from './variables.js';

/** Fields and variables that hold functions of another layer: what they do is no step of this one. */
const OUTSIDE_FUNCTIONS = new Set(['grow', 'clear', 'touchStack', 'Number', 'String', 'Boolean']);
const OUTSIDE_OBJECTS = new Set(['Math', 'Number', 'Array', 'Object', 'String']);
const OUTSIDE_CLASSES = new Set(['Array', 'Error', 'Map', 'RangeError', 'Set', 'TypeError']);
/** Methods of views that write words. */
const WRITING_METHODS = words('fill set copyWithin');
/** Methods of arrays, maps and sets that change them. */
const MUTATING_METHODS = words('add clear delete pop push reverse shift sort splice unshift');
/** Methods of the memory, and of arrays, maps, sets and strings. */
const READING_METHODS = words(
  'reach at concat entries every filter find findIndex findLast flat flatMap forEach get has includes indexOf join keys map ' +
    'padEnd padStart reduce slice some toSorted toString values',
);
const ATOMICS = words('add and compareExchange exchange load notify or store sub xor');

function words(list: string): ReadonlySet<string> {
  return new Set(list.split(' '));
}

/** A call of anything. */
export function visitCall(place: Place, node: CallExpression): void {
  const { callee } = node;
  if (callee.type === 'Super') return;
  if (callee.type === 'Identifier') {
    if (callee.name === 'onStep') visitHook(place, node);
    else if (node.optional) place.refuse(node, 'an optional call');
    else visitFunctionCall(place, node, callee.name);
    return;
  }
  // Whatever it is that a generator of the source delegates to.
  if (isDelegated(place) && (callee.type !== 'MemberExpression' || callee.computed)) return;
  if (callee.type !== 'MemberExpression') place.refuse(node, `a call of a ${callee.type}`);
  if (node.optional || callee.optional) place.refuse(node, 'an optional call');
  if (callee.computed) place.refuse(node, 'a call of an element');
  visitMethodCall(place, node, callee, methodName(callee.property));
}

function isDelegated(place: Place): boolean {
  const parent = place.parent(1);
  return parent?.type === 'YieldExpression' && parent.delegate;
}

function visitFunctionCall(place: Place, node: CallExpression, name: string): void {
  if (!place.isLocal(name) && place.functions.has(`function ${name}`)) {
    visitKnownCall(place, node, `function ${name}`);
    return;
  }
  // A closure cannot suspend: functions.ts sees to that.
  const isClosure = place.owners.some(({ closures }) => closures.has(name));
  if (place.owner === undefined || isClosure || OUTSIDE_FUNCTIONS.has(name)) return;
  const known = [...OUTSIDE_FUNCTIONS].join(', ');
  place.refuse(node, `a call of ${name}, which is no function of the bundle (known from outside: ${known})`);
}

function visitMethodCall(place: Place, node: CallExpression, callee: MemberExpression, name: string): void {
  const { object } = callee;
  const { functions } = place;
  if (object.type === 'Identifier' && object.name === 'Atomics') {
    if (!ATOMICS.has(name)) place.refuse(node, `Atomics.${name}`);
    place.suspends(`Atomics.${name}`);
    if (!place.isRewriting) return;
    // A generator of the source has its yields.
    const isStep = place.options.around === true && place.owner?.isGenerator === false;
    place.wrap(node, isStep ? '$.stepped(((yield), $.arm()), ' : '$.atomic(', ')');
  } else if (place.options.around === true && object.type === 'Identifier' && object.name === 'engine') {
    visitEngineCall(place, node, name);
  } else if (object.type === 'ThisExpression' || object.type === 'Super') {
    if (!functions.has(`method ${name}`))
      place.refuse(node, `a call of this.${name}, which is no method of the bundle`);
    visitKnownCall(place, node, `method ${name}`);
  } else if (name === 'bind' && isMethodOfThis(object)) {
    // `this.x.bind(this)` is the same method.
  } else if (object.type === 'Identifier' && OUTSIDE_OBJECTS.has(object.name)) {
    if (name === 'random') place.refuse(node, 'Math.random');
  } else if (READING_METHODS.has(name) || MUTATING_METHODS.has(name) || WRITING_METHODS.has(name)) {
    if (functions.has(`method ${name}`) && !isView(object)) visitEither(place, node, object, name);
    else visitOutsideCall(place, node, object, name);
  } else if (functions.has(`method ${name}`)) {
    place.foreign.add(`method ${name}`);
    visitKnownCall(place, node, `method ${name}`);
  } else {
    place.refuse(node, `a call of a method ${name}, which is neither of the bundle nor known from outside`);
  }
}

/** A call of a function or a method of the bundle: it suspends when that does. */
function visitKnownCall(place: Place, node: CallExpression, key: string): void {
  const { functions, owner } = place;
  const parent = place.parent(1);
  if (!place.isRewriting) {
    owner?.calls.add(key);
    if (parent?.type === 'ForOfStatement' || parent?.type === 'SpreadElement') functions.iterate(key);
    return;
  }
  if (isDelegated(place) && functions.isIterated(key)) place.refuse(node, `${key} is iterated and delegated to`);
  if (!functions.isSuspending(key) || isDelegated(place)) return;
  if (owner === undefined) place.refuse(node, `a call of ${key}, which suspends, while the module loads`);
  if (functions.isGenerator(key)) place.refuse(node, `a call of the generator ${key} without yield*`);
  place.refuseInParameters(node);
  // An assignment in an argument would be forgotten with what the call reads.
  const mayForget = place.mayForget && node.arguments.every((argument) => assignedIn(argument).size === 0);
  if (mayForget) place.wrap(node, `$.end($.begin(${node.start}), yield* `, `${place.fieldArguments})`);
  else place.wrap(node, '(yield* ', ')');
}

/** A method of the bundle, or one of the language that has its name: at run time the result tells. */
function visitEither(place: Place, node: CallExpression, object: AnyNode, name: string): void {
  const key = `method ${name}`;
  place.foreign.add(key);
  if (!place.isRewriting) place.owner?.calls.add(key);
  if (MUTATING_METHODS.has(name) || WRITING_METHODS.has(name)) place.hasHiddenState = true;
  if (!place.isRewriting || isDelegated(place)) return;
  place.wrap(object, '$.object(', ')');
  if (!place.functions.isSuspending(key)) return;
  if (place.owner === undefined) place.refuse(node, `a call of ${key}, which suspends, while the module loads`);
  place.refuseInParameters(node);
  place.wrap(node, '(yield* $.either(', '))');
}

function isView(object: AnyNode): boolean {
  return object.type === 'CallExpression' || VIEWS.has(nameOf(object));
}

function visitOutsideCall(place: Place, node: CallExpression, object: AnyNode, name: string): void {
  const isWrite = WRITING_METHODS.has(name);
  if (MUTATING_METHODS.has(name) || (isWrite && !isView(object))) place.hasHiddenState = true;
  if (isWrite && place.options.deaths) place.suspends('a write by a method');
  if (!place.isRewriting) return;
  if (name !== 'reach' && !isWrite) place.wrap(object, '$.object(', ')');
  const before = isWrite && place.options.deaths ? `${DEATH}, ` : '';
  place.wrap(node, `(${before}$.outside(`, '))');
}

/** A call of an engine by code around it: whoever runs that code performs it. */
function visitEngineCall(place: Place, node: CallExpression, name: string): void {
  place.suspends(`a call of engine.${name}`);
  if (!place.isRewriting) return;
  const [first] = node.arguments;
  place.text.overwrite(node.start, first?.start ?? node.end, `$.resume((yield { call: ['${name}'${first ? ', ' : ''}`);
  if (first === undefined) place.text.appendLeft(node.end, '] }))');
  else place.text.overwrite(node.arguments.at(-1)!.end, node.end, '] }))');
}

function visitHook(place: Place, node: CallExpression): void {
  if (place.isLocal('onStep')) place.refuse(node, 'a local onStep');
  place.suspends('a step');
  const [address] = node.arguments;
  if (address === undefined) place.refuse(node, 'a step without an address');
  const statement = place.parent(1)?.type === 'ChainExpression' ? place.parent(2) : place.parent(1);
  if (statement?.type !== 'ExpressionStatement') place.refuse(node, 'a step inside an expression');
  if (!place.isRewriting) return;
  place.text.overwrite(node.start, address.start, '((yield), $.arm(');
  place.text.overwrite(address.end, node.end, '))');
}

/** `new` of something. */
export function visitNew(place: Place, callee: AnyNode): void {
  if (callee.type === 'Identifier' && (OUTSIDE_CLASSES.has(callee.name) || place.functions.hasClass(callee.name)))
    return;
  place.refuse(callee, 'new of a class that is neither of the bundle nor known from outside');
}

/** A method of something that is not called here: where it suspends, a plain caller of it would get a generator. */
export function visitReference(place: Place, node: MemberExpression, name: string): void {
  const parent = place.parent(1);
  const key = `method ${name}`;
  // Generators of the source may be passed on: whoever calls them has to write yield*.
  if (!place.isRewriting || !place.functions.isSuspending(key) || place.functions.isGenerator(key)) return;
  if (parent?.type === 'CallExpression' && parent.callee === node) return;
  if (parent?.type === 'MemberExpression' && nameOf(parent) === 'bind' && isMethodOfThis(node)) return;
  if (parent?.type === 'AssignmentExpression' && parent.left === node) {
    const { right } = parent;
    if (place.source.slice(right.start, right.end) === `this.${name}.bind(this)`) return;
  }
  place.refuse(node, `${name}, which suspends, is used without being called`);
}

/** `const { x } = this` of a method that suspends would be called as a plain function. */
export function visitDeclarator(place: Place, node: Extract<AnyNode, { type: 'VariableDeclarator' }>): void {
  const { id, init } = node;
  if (!place.isRewriting || id.type !== 'ObjectPattern' || init?.type !== 'ThisExpression') return;
  for (const property of id.properties) {
    if (property.type !== 'Property' || property.key.type !== 'Identifier' || property.computed)
      place.refuse(property, 'a field of this by a pattern that is not plain');
    if (place.functions.isSuspending(`method ${property.key.name}`))
      place.refuse(property, `${property.key.name}, which suspends, is used without being called`);
  }
}

function isMethodOfThis(node: AnyNode): boolean {
  return node.type === 'MemberExpression' && node.object.type === 'ThisExpression' && !node.computed;
}
