// What the probes and the copies need of runtimes that have modules of their own: Node's built-in modules, where there
// are any.
//
// By process.getBuiltinModule, which Node, Bun and Deno have: an import would end in bundles for pages, and a page has
// no process.

type Builtins = typeof process.getBuiltinModule;

/** One of Node's modules, where the runtime has them. */
export const builtin: Builtins = ((name: string): unknown => {
  const { process } = globalThis as { process?: { getBuiltinModule?: (name: string) => unknown } };
  try {
    return process?.getBuiltinModule?.(name);
  } catch {
    return undefined;
  }
}) as Builtins;
