import { registerHooks } from "node:module";

const CORE_URL = new URL("./core.ts", import.meta.url).href;

/**
 * Makes `@azure/functions-core` lead to `core.ts`, for `import` and `require` alike. It has to run before the app is
 * loaded: `@azure/functions` asks once and keeps the answer, also when there is none.
 */
export function supplyCoreModule(): void {
  registerHooks({
    resolve(specifier, context, nextResolve) {
      if (specifier !== "@azure/functions-core") return nextResolve(specifier, context);
      return { url: CORE_URL, format: "module-typescript", shortCircuit: true };
    },
  });
}
