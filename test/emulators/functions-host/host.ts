import type { ServiceBusClient } from "@azure/service-bus";
import { endRegistration, getProgrammingModel, runHooks } from "./core.ts";
import { supplyCoreModule } from "./core-resolution.ts";
import { type HostFunction, readFunction, type ServiceBusFunction } from "./functions.ts";
import { type HostSettings, readHostJson } from "./host-json.ts";
import { MAX_REQUEST_BYTES } from "./http/body.ts";
import type { HostKeys } from "./http/keys.ts";
import { makeRouter } from "./http/router.ts";
import { openHttpFront } from "./http/server.ts";
import { openIdentityEndpoint } from "./identity/server.ts";
import type { Identity } from "./identity/token.ts";
import { type Invoker, makeInvoker } from "./invoke.ts";
import { loadApp } from "./load-app.ts";
import { describeError, writeLog } from "./log.ts";
import { openClient, readConnection } from "./servicebus/connection.ts";
import { type ServiceBusListener, startServiceBusListener } from "./servicebus/listener.ts";
import { startProblem } from "./start-problem.ts";
import { readSchedule, runTimer } from "./timers/listener.ts";

export type HostOptions = {
  appDir: string;
  port: number;
  tls: { key: string; cert: string };
  keys: HostKeys;
  identity: Identity | undefined;
  /** How long running invocations may go on after `stop`, before the app hears of it. */
  drainMs: number;
  /** How long the app's hooks `appTerminate` may take, 5 s in Azure. */
  graceMs: number;
};

export type Host = {
  readonly url: string;
  readonly functions: readonly string[];
  /**
   * Takes nothing new, lets running invocations end within `drainMs`, then runs the app's hooks `appTerminate` for `graceMs` at most, and
   * closes everything. Never rejects. In this order and with this limit Azure's host ends a Node worker, whatever still runs in it.
   */
  stop(): Promise<void>;
};

/**
 * Starts the host and the app in this process, which holds one app for its whole life: module resolution, console
 * and environment become the app's. Rejects with a StartProblem when host.json or the app is not fit to run.
 */
export async function startHost(options: HostOptions): Promise<Host> {
  const settings = await readHostJson(options.appDir);
  const maxRequestBytes = Number(process.env.FUNCTIONS_REQUEST_BODY_SIZE_LIMIT ?? MAX_REQUEST_BYTES);
  const front = await openHttpFront({ ...options, maxRequestBytes });
  process.env.WEBSITE_HOSTNAME = new URL(front.url).host; // as in Azure: where the app itself is reached
  const identity = options.identity && (await openIdentityEndpoint(options.identity));
  Object.assign(process.env, identity?.settings);

  supplyCoreModule();
  await loadApp(options.appDir);
  const { functions, invoker } = await indexApp(settings);
  const http = functions.filter((fn) => fn.kind === "http");
  const router = makeRouter(http, settings.routePrefix);
  const timers = functions.filter((fn) => fn.kind === "timer").map((fn) => ({ fn, schedule: readSchedule(fn) }));
  const messages = functions.filter((fn) => fn.kind === "serviceBus");
  const clients = openClients(messages, settings);

  const hookData = {};
  await runHooks("appStart", { hookData });
  const listeners = messages.map((fn) =>
    startServiceBusListener(fn, clients.get(fn.connection)!, settings.serviceBus, invoker),
  );
  const stopTimers = new AbortController();
  for (const { fn, schedule } of timers) void runTimer(fn, schedule, invoker, stopTimers.signal);
  front.serve({ router, functions, invoker, keys: options.keys });
  // In the real host's words (azure-functions-host, WebScriptHostHttpRoutesManager).
  for (const { name, route, methods } of http)
    writeLog("information", "Host", `Mapped function route '${route}' [${methods.join(",")}] to '${name}'`);

  return {
    url: front.url,
    functions: functions.map((fn) => fn.name),
    async stop() {
      front.stopAccepting();
      stopTimers.abort();
      await withinMs(options.drainMs, drain(listeners, invoker));
      const hooks = attempt("appTerminate", () => runHooks("appTerminate", { hookData }));
      if (!(await withinMs(options.graceMs, hooks))) writeLog("error", "Host.Stop", "appTerminate: the grace is over");
      await attempt("Service Bus", () =>
        withinMs(options.drainMs, Promise.all([...clients.values()].map((one) => one.close()))),
      );
      await front.close();
      await identity?.close();
    },
  };
}

async function indexApp(settings: HostSettings): Promise<{ functions: HostFunction[]; invoker: Invoker }> {
  const functions = endRegistration().map((registered) => readFunction(registered, process.env));
  const model = getProgrammingModel();
  if (functions.length === 0 || model === undefined) {
    throw startProblem(
      "The app registered no functions. It may have loaded a second copy of @azure/functions, or a bundle without require.",
    );
  }
  const capabilities = await model.getCapabilities({});
  if ("HttpUri" in capabilities) throw startProblem("HTTP streaming is not supported by this host.");
  return { functions, invoker: makeInvoker({ model, functionTimeoutMs: settings.functionTimeoutMs }) };
}

function openClients(functions: readonly ServiceBusFunction[], settings: HostSettings): Map<string, ServiceBusClient> {
  const first = functions[0];
  if (first !== undefined && !settings.hasExtensionBundle) {
    // Azure starts such an app and never calls the function.
    throw startProblem(
      `The '${first.name}' function is in error: the binding type 'serviceBusTrigger' is not registered. ` +
        'Add "extensionBundle": { "id": "Microsoft.Azure.Functions.ExtensionBundle", "version": "[4.*, 5.0.0)" } to host.json.',
    );
  }
  const connections = new Map(functions.map((fn) => [fn.connection, readConnection(fn.connection, process.env)]));
  return new Map([...connections].map(([name, connection]) => [name, openClient(connection)]));
}

async function drain(listeners: readonly ServiceBusListener[], invoker: Invoker): Promise<void> {
  await Promise.all(listeners.map((listener) => attempt("Service Bus", () => listener.stop())));
  await invoker.idle();
}

async function attempt(what: string, act: () => Promise<unknown>): Promise<void> {
  try {
    await act();
  } catch (error) {
    writeLog("error", "Host.Stop", `${what}: ${describeError(error)}`);
  }
}

/** Whether the work was done by then. */
async function withinMs(limitMs: number, work: Promise<unknown>): Promise<boolean> {
  const { promise: over, resolve } = Promise.withResolvers<false>();
  const timer = setTimeout(() => resolve(false), limitMs);
  const isDone = await Promise.race([work.then(() => true), over]);
  clearTimeout(timer);
  return isDone;
}
