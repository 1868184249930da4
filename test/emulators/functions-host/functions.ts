import { z } from "zod";
import type { BindingInfo, RegisteredFunction } from "./rpc.ts";
import { resolveSettings, type Settings } from "./settings.ts";
import { startProblem } from "./start-problem.ts";

/** What the app registered, sorted by trigger and checked. Sources: the binding schemas of the three extensions. */

export type AuthLevel = "anonymous" | "function" | "admin";

type Registered = { name: string; triggerName: string; registered: RegisteredFunction };

export type HttpFunction = Registered & {
  kind: "http";
  /** Below the route prefix. */
  route: string;
  /** Upper case; empty for every method. */
  methods: readonly string[];
  authLevel: AuthLevel;
};

export type TimerFunction = Registered & { kind: "timer"; schedule: string; runOnStartup: boolean };

export type ServiceBusFunction = Registered & {
  kind: "serviceBus";
  source: { queue: string } | { topic: string; subscription: string };
  /** The name of the app setting, or the prefix of the settings, that say where the namespace is. */
  connection: string;
  dataType: "string" | "binary";
  /** Undefined: as host.json says. */
  autoCompleteMessages: boolean | undefined;
};

export type HostFunction = HttpFunction | TimerFunction | ServiceBusFunction;

const FUNCTION_NAME = /^[a-z][a-z0-9_-]{0,127}$/i;

const httpTrigger = z.object({
  route: z.string().optional(),
  methods: z.array(z.string().toUpperCase()),
  authLevel: z
    .string()
    .toLowerCase()
    .pipe(z.enum(["anonymous", "function", "admin"])),
});

const timerTrigger = z.object({ schedule: z.string(), runOnStartup: z.boolean().default(false) });

const serviceBusTrigger = z.object({
  queueName: z.string().optional(),
  topicName: z.string().optional(),
  subscriptionName: z.string().optional(),
  connection: z.string().default("ServiceBus"),
  dataType: z.enum(["string", "binary"]).default("string"),
  autoCompleteMessages: z.boolean().optional(),
  isSessionsEnabled: z.literal(false, { error: "sessions are not supported by this host" }).optional(),
  cardinality: z.literal("one", { error: 'only cardinality "one" is supported by this host' }).optional(),
  sdkBinding: z.literal(false, { error: "SDK bindings are not supported by this host" }).optional(),
});

/** Checks one registered function and resolves its settings. Throws a StartProblem that names it. */
export function readFunction(registered: RegisteredFunction, settings: Settings): HostFunction {
  const { name, bindings } = registered.metadata;
  try {
    if (!FUNCTION_NAME.test(name))
      throw startProblem("the name must start with a letter; then letters, digits, - or _");
    const [triggerName, trigger] = findTrigger(bindings);
    return readTrigger({ name, triggerName, registered }, trigger, settings);
  } catch (error) {
    const reason = error instanceof z.ZodError ? z.prettifyError(error) : (error as Error).message;
    throw startProblem(`The '${name}' function is in error: ${reason}`, error);
  }
}

function findTrigger(bindings: Record<string, BindingInfo>): [string, BindingInfo] {
  let trigger: [string, BindingInfo] | undefined;
  for (const [name, binding] of Object.entries(bindings)) {
    if (/trigger$/i.test(binding.type)) trigger = [name, binding];
    else if (name !== "$return" || binding.type.toLowerCase() !== "http") {
      throw startProblem(`the ${binding.direction ?? ""} binding "${binding.type}" is not supported by this host`);
    }
  }
  if (trigger === undefined) throw startProblem("it has no trigger");
  return trigger;
}

function readTrigger(base: Registered, trigger: BindingInfo, settings: Settings): HostFunction {
  switch (trigger.type.toLowerCase()) {
    case "httptrigger":
      return readHttp(base, trigger);
    case "timertrigger": {
      const { schedule, runOnStartup } = timerTrigger.parse(trigger);
      return { ...base, kind: "timer", schedule: resolveSettings(schedule, settings), runOnStartup };
    }
    case "servicebustrigger":
      return readServiceBus(base, trigger, settings);
    default:
      throw startProblem(`the trigger "${trigger.type}" is not supported by this host`);
  }
}

function readHttp(base: Registered, trigger: BindingInfo): HttpFunction {
  const { route, methods, authLevel } = httpTrigger.parse(trigger);
  const trimmed = (route ?? base.name).replace(/^\/+|\/+$/g, "");
  // The real host refuses by the function's own route, whatever the prefix.
  if (trimmed.toLowerCase().startsWith("admin")) {
    throw startProblem("the specified route conflicts with one or more built in routes (admin)");
  }
  return { ...base, kind: "http", route: trimmed, methods, authLevel };
}

function readServiceBus(base: Registered, trigger: BindingInfo, settings: Settings): ServiceBusFunction {
  const binding = serviceBusTrigger.parse(trigger);
  const common = {
    ...base,
    kind: "serviceBus",
    connection: binding.connection,
    dataType: binding.dataType,
    autoCompleteMessages: binding.autoCompleteMessages,
  } as const;
  if (binding.queueName) return { ...common, source: { queue: resolveSettings(binding.queueName, settings) } };
  if (!binding.topicName || !binding.subscriptionName) {
    throw startProblem("a Service Bus trigger needs queueName, or topicName and subscriptionName");
  }
  const topic = resolveSettings(binding.topicName, settings);
  return { ...common, source: { topic, subscription: resolveSettings(binding.subscriptionName, settings) } };
}
