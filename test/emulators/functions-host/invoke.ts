import { randomUUID } from "node:crypto";
import { runHooks } from "./core.ts";
import { describeError, writeLog } from "./log.ts";
import type {
  CoreInvocationContext,
  FunctionCallback,
  InvocationInput,
  InvocationModel,
  InvocationOutput,
  ProgrammingModel,
  RegisteredFunction,
} from "./rpc.ts";

/**
 * Runs functions the way the Node worker does: the model turns the trigger's value into arguments, the app's hooks
 * run around the handler, the model turns the result into output. Source: azure-functions-nodejs-worker,
 * InvocationHandler.
 */
export type Invoker = {
  /** Runs one function once. Rejects with what the handler threw, or when `functionTimeout` is over. */
  invoke(fn: RegisteredFunction, input: InvocationInput): Promise<InvocationOutput>;
  /** Resolves when no invocation is running. */
  idle(): Promise<void>;
};

export type InvokerOptions = {
  model: ProgrammingModel;
  /** Undefined for no limit. */
  functionTimeoutMs: number | undefined;
};

export function makeInvoker({ model, functionTimeoutMs }: InvokerOptions): Invoker {
  const running = new Set<Promise<unknown>>();

  async function invoke(fn: RegisteredFunction, input: InvocationInput): Promise<InvocationOutput> {
    const { name } = fn.metadata;
    const invocationId = randomUUID();
    const startedAt = performance.now();
    const outcome = (result: string) =>
      `${result} (Id=${invocationId}, Duration=${Math.round(performance.now() - startedAt)}ms)`;
    writeLog("information", `Function.${name}`, `Executing (Id=${invocationId})`);
    try {
      const output = await withTimeout(name, functionTimeoutMs, runOnce(model, fn, invocationId, input));
      writeLog("information", `Function.${name}`, outcome("Succeeded"));
      return output;
    } catch (error) {
      writeLog("error", `Function.${name}`, `${outcome("Failed")}: ${describeError(error)}`);
      throw error;
    }
  }

  return {
    invoke(fn, input) {
      const run = invoke(fn, input);
      running.add(run);
      const done = () => running.delete(run);
      run.then(done, done);
      return run;
    },
    async idle() {
      while (running.size > 0) await Promise.allSettled(running);
    },
  };
}

async function runOnce(
  model: ProgrammingModel,
  fn: RegisteredFunction,
  invocationId: string,
  input: InvocationInput,
): Promise<InvocationOutput> {
  const core = makeCoreContext(fn, invocationId, input);
  const invocation = model.getInvocationModel(core);
  const { context, inputs } = await invocation.getArguments();
  const hookData = {};

  const before = { hookData, invocationContext: context, functionCallback: fn.callback, inputs };
  await inState(core, "preInvocationHooks", () => runHooks("preInvocation", before));

  const after = { hookData, invocationContext: context, inputs: before.inputs, result: null, error: null };
  await inState(core, "invocation", () => callHandler(invocation, context, before, after));
  await inState(core, "postInvocationHooks", () => runHooks("postInvocation", after));
  // A hook may have replaced or removed the error.
  if (after.error !== null && after.error !== undefined) throw after.error;
  return await invocation.getResponse(context, after.result);
}

async function callHandler(
  invocation: InvocationModel,
  context: unknown,
  before: { inputs: unknown[]; functionCallback: FunctionCallback },
  after: { result: unknown; error: unknown },
): Promise<void> {
  try {
    after.result = await invocation.invokeFunction(context, before.inputs, before.functionCallback);
  } catch (error) {
    after.error = error ?? new Error("The function failed without an error");
  }
}

async function inState(
  core: CoreInvocationContext,
  state: CoreInvocationContext["state"],
  act: () => Promise<void>,
): Promise<void> {
  core.state = state;
  try {
    await act();
  } finally {
    core.state = undefined;
  }
}

function makeCoreContext(fn: RegisteredFunction, invocationId: string, input: InvocationInput): CoreInvocationContext {
  return {
    invocationId,
    request: { ...input, invocationId },
    metadata: fn.metadata,
    state: undefined,
    log: (level, category, message) => writeLog(level, `Function.${fn.metadata.name}.${category}`, message),
  };
}

const LONGEST_TIMER_MS = 2 ** 31 - 1; // Node's own limit, 24.8 days

/** The handler cannot be stopped: it goes on, and nobody looks at its result. Azure ends the whole process. */
async function withTimeout<T>(name: string, timeoutMs: number | undefined, work: Promise<T>): Promise<T> {
  if (timeoutMs === undefined) return await work;
  const { promise: tooLate, reject } = Promise.withResolvers<never>();
  const fail = () => reject(new Error(`Timeout of ${timeoutMs} ms exceeded by function ${name}`));
  const timer = setTimeout(fail, Math.min(timeoutMs, LONGEST_TIMER_MS));
  try {
    return await Promise.race([work, tooLate]);
  } finally {
    clearTimeout(timer);
  }
}
