import { writeLog } from "./log.ts";
import type {
  FunctionCallback,
  FunctionMetadata,
  LogCategory,
  LogLevel,
  ProgrammingModel,
  RegisteredFunction,
} from "./rpc.ts";

/**
 * The module `@azure/functions-core`, which exists only inside a Functions worker: `@azure/functions` registers the
 * app's functions through it. `core-resolution.ts` makes that name lead here, so this module's exports are its API.
 * A process holds one app, as a real worker does, so the registrations are this module's state.
 */

/** The version of the worker this one imitates. */
export const version = "3.13.0";
export const hostVersion = "4.1044.0";

export class Disposable {
  static from(...parts: { dispose(): unknown }[]): Disposable {
    return new Disposable(() => {
      for (const part of parts.splice(0)) part.dispose();
    });
  }

  #onDispose: (() => unknown) | undefined;

  constructor(onDispose: () => unknown) {
    this.#onDispose = onDispose;
  }

  dispose(): unknown {
    const onDispose = this.#onDispose;
    this.#onDispose = undefined;
    return onDispose?.();
  }
}

const HOOKS = ["appStart", "appTerminate", "preInvocation", "postInvocation", "log"] as const;
export type HookName = (typeof HOOKS)[number];
// A hook's context is built by the caller of runHooks and read by the library, which wraps it for the app.
type HookCallback = (context: never) => unknown;

const functions = new Map<string, RegisteredFunction>();
const hooks = new Map<HookName, Set<HookCallback>>(HOOKS.map((name) => [name, new Set()]));
let programmingModel: ProgrammingModel | undefined;
let accepting = true;

/** Registers one function of the app. Throws when the app has started or the name is taken. */
export function registerFunction(metadata: FunctionMetadata, callback: FunctionCallback): Disposable {
  if (!accepting) throw new Error("A function can only be registered during app startup.");
  const key = metadata.name.toLowerCase(); // names are case-insensitive in Azure
  if (functions.has(key)) throw new Error(`A function with name "${metadata.name}" has already been registered.`);
  functions.set(key, { metadata, callback });
  return new Disposable(() => functions.delete(key));
}

export function registerHook(name: string, callback: HookCallback): Disposable {
  const callbacks = hooks.get(name as HookName);
  if (callbacks === undefined) throw new RangeError(`Unrecognized hook "${name}"`);
  callbacks.add(callback);
  return new Disposable(() => callbacks.delete(callback));
}

export function setProgrammingModel(model: ProgrammingModel): void {
  programmingModel = model;
}

export function getProgrammingModel(): ProgrammingModel | undefined {
  return programmingModel;
}

export function log(level: LogLevel, category: LogCategory, message: string): void {
  writeLog(level, `Worker.${category}`, message);
}

/** Ends registration and returns what the app registered, in its order. For the host only. */
export function endRegistration(): RegisteredFunction[] {
  accepting = false;
  return [...functions.values()];
}

/** Runs the app's hooks of one kind one after another, in the order they were registered. Rejects as they do. */
export async function runHooks(name: HookName, context: object): Promise<void> {
  for (const callback of hooks.get(name) ?? []) await callback(context as never);
}
