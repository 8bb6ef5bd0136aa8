// The functions and methods of a bundle, and which of them suspend: by what they do themselves or by what they call.
//
// Calls are told by name: a method by its name in any class, a function by its name at the top. Two methods of one name
// must agree. A closure, a getter or a constructor cannot be suspended: where one would have to be, that is an error.

import type { AnyNode, Function as FunctionNode, MethodDefinition, Program } from 'acorn';
import { full } from 'acorn-walk';
import { declaredIn, methodName, namesIn } from './variables.js';

/** A function of any kind. */
export interface Owner {
  readonly node: Extract<AnyNode, FunctionNode>;
  /** `method x`, `function x`, or what else it is. */
  readonly key: string;
  readonly method: MethodDefinition | undefined;
  readonly canSuspend: boolean;
  /** It was a generator in the source. */
  readonly isGenerator: boolean;
  /** Names of its own parameters, variables and inner functions. */
  readonly locals: ReadonlySet<string>;
  /** Of those, the ones that stand for a closure. */
  readonly closures: ReadonlySet<string>;
  /** Keys of what it calls. */
  readonly calls: Set<string>;
  /** Why it suspends. */
  why: string | undefined;
  /** It assigns fields of `this`, by itself or by what it calls. */
  isAssigning: boolean;
}

/** Every function of a program. */
export class FunctionTable {
  private readonly owners = new Map<AnyNode, Owner>();
  private readonly byKey = new Map<string, Owner[]>();
  private readonly classes = new Set<string>();
  private readonly iterated = new Set<string>();

  constructor(program: Program) {
    const methods = new Map<AnyNode, MethodDefinition>();
    const top = new Set<AnyNode>(program.body);
    full(program, (node) => {
      if (node.type === 'MethodDefinition') methods.set(node.value, node);
      if (node.type === 'ClassDeclaration' && node.id) this.classes.add(node.id.name);
      if (node.type === 'VariableDeclarator' && node.init?.type === 'ClassExpression' && node.id.type === 'Identifier')
        this.classes.add(node.id.name);
    });
    full(program, (node) => {
      if (isFunction(node)) this.add(ownerOf(node, methods.get(node), top.has(node)));
    });
  }

  private add(owner: Owner): void {
    this.owners.set(owner.node, owner);
    this.byKey.set(owner.key, [...(this.byKey.get(owner.key) ?? []), owner]);
  }

  get all(): readonly Owner[] {
    return [...this.owners.values()];
  }

  ownerOf(node: AnyNode): Owner | undefined {
    return this.owners.get(node);
  }

  has(key: string): boolean {
    return this.byKey.has(key);
  }

  hasClass(name: string): boolean {
    return this.classes.has(name);
  }

  isSuspending(key: string): boolean {
    return this.byKey.get(key)?.some(({ why }) => why !== undefined) ?? false;
  }

  /** Whether it assigns fields of `this`. */
  isAssigning(key: string): boolean {
    return this.byKey.get(key)?.some((owner) => owner.isAssigning) ?? false;
  }

  /** Whether it was a generator in the source. */
  isGenerator(key: string): boolean {
    return this.byKey.get(key)?.some((owner) => owner.isGenerator) ?? false;
  }

  /** A generator that is iterated makes a list: its yields are no steps. */
  iterate(key: string): void {
    this.iterated.add(key);
  }

  isIterated(key: string): boolean {
    return this.iterated.has(key);
  }

  /** Names of everything that suspends, without the word for what it is. */
  get suspendingNames(): ReadonlySet<string> {
    return new Set(this.all.filter(({ why }) => why !== undefined).map(({ key }) => key.replace(/^\w+ /, '')));
  }

  /** Finds out who suspends, once every function's own reasons and calls are known. */
  settle(refuse: (owner: Owner, why: string) => never): void {
    for (const owner of this.all) {
      if (owner.isGenerator && !this.iterated.has(owner.key)) owner.why ??= 'its yields';
    }
    while (this.spread());
    for (const owner of this.all) {
      if (owner.why !== undefined && !owner.canSuspend)
        refuse(owner, `${owner.key} cannot be suspended, and has ${owner.why}`);
      if (owner.why === undefined && this.isSuspending(owner.key))
        refuse(owner, `${owner.key} is there twice, and only one of them suspends`);
    }
  }

  /** Whoever calls what suspends does, too; likewise who assigns fields. False: nothing new. */
  private spread(): boolean {
    let isNew = false;
    for (const owner of this.all) {
      const callee = [...owner.calls].find((key) => this.isSuspending(key));
      const isAssigning = owner.isAssigning || [...owner.calls].some((key) => this.isAssigning(key));
      if ((owner.why !== undefined || callee === undefined) && isAssigning === owner.isAssigning) continue;
      if (callee !== undefined) owner.why ??= `a call of ${callee}`;
      owner.isAssigning = isAssigning;
      isNew = true;
    }
    return isNew;
  }
}

function isFunction(node: AnyNode): node is Extract<AnyNode, FunctionNode> {
  return /^(FunctionDeclaration|FunctionExpression|ArrowFunctionExpression)$/.test(node.type);
}

function ownerOf(node: Extract<AnyNode, FunctionNode>, method: MethodDefinition | undefined, isTop: boolean): Owner {
  const isNamedMethod = method?.kind === 'method' && !method.computed && methodName(method.key) !== '';
  const isTopFunction = isTop && node.type === 'FunctionDeclaration';
  let key = `a closure at ${node.start}`;
  if (isNamedMethod) key = `method ${methodName(method.key)}`;
  else if (isTopFunction && node.id) key = `function ${node.id.name}`;
  else if (method !== undefined) key = `a ${method.kind} at ${node.start}`;
  const closures = new Set<string>();
  full(node.body, (inner) => {
    if (inner.type === 'FunctionDeclaration' && inner.id) closures.add(inner.id.name);
    if (inner.type === 'VariableDeclarator' && inner.id.type === 'Identifier' && inner.init && isFunction(inner.init))
      closures.add(inner.id.name);
  });
  return {
    node,
    key,
    method,
    canSuspend: (isNamedMethod || isTopFunction) && !node.async,
    isGenerator: node.generator,
    locals: new Set([...node.params.flatMap((param) => namesIn(param)), ...declaredIn(node.body)]),
    closures,
    calls: new Set(),
    why: undefined,
    isAssigning: false,
  };
}
