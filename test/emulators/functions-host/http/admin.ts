import { z } from "zod";
import { version as workerVersion } from "../core.ts";
import type { HostFunction } from "../functions.ts";
import type { InvocationInput } from "../rpc.ts";
import { toServiceBusInput } from "../servicebus/metadata.ts";
import { toTimerInput } from "../timers/timer-info.ts";
import type { HttpAnswer } from "./rpc-http.ts";
import { toRpcHttp } from "./rpc-http.ts";

/**
 * The host's own routes, for holders of the master key. Source: "Manually run a non HTTP-triggered function" and the
 * host's status API; azure-functions-host, FunctionsController.
 */

export type AdminContext = {
  url: string;
  functions: readonly HostFunction[];
  /** Starts an invocation; nobody waits for it. */
  run(fn: HostFunction, input: InvocationInput): void;
};

const invocation = z.object({ input: z.string().optional() });

/** Answers a request below /admin whose key has been checked. */
export function answerAdmin(method: string, path: string, body: Uint8Array, context: AdminContext): HttpAnswer {
  if (method === "GET" && path === "/admin/host/status") return hostStatus();
  if (method === "GET" && path === "/admin/functions")
    return json(
      200,
      context.functions.map(({ name }) => ({ name })),
    );
  const name = /^\/admin\/functions\/([^/]+)$/.exec(path)?.[1];
  if (method !== "POST" || name === undefined) return empty(404);
  const request = parseInvocation(body);
  if (request === undefined) return empty(400);
  const fn = context.functions.find((one) => one.name.toLowerCase() === name.toLowerCase());
  if (fn === undefined) return empty(404);
  context.run(fn, manualInput(fn, request.input ?? "", context.url));
  return empty(202);
}

function parseInvocation(body: Uint8Array): z.infer<typeof invocation> | undefined {
  try {
    return invocation.parse(JSON.parse(Buffer.from(body).toString("utf8")));
  } catch {
    return undefined;
  }
}

/** What a function is given when it is run by hand. */
function manualInput(fn: HostFunction, input: string, hostUrl: string): InvocationInput {
  switch (fn.kind) {
    case "timer":
      return toTimerInput(fn.triggerName, { isPastDue: false });
    case "serviceBus":
      return toServiceBusInput(fn.triggerName, fn.dataType, { body: Buffer.from(input) });
    case "http": {
      const url = new URL(`/admin/functions/${fn.name}`, hostUrl).href;
      const body = Buffer.from(input);
      const rawHeaders = ["content-type", "application/json"];
      const http = toRpcHttp({ method: "POST", url, rawHeaders, params: {}, body });
      return { inputData: [{ name: fn.triggerName, data: { http } }], triggerMetadata: {} };
    }
    default:
      return fn satisfies never;
  }
}

function hostStatus(): HttpAnswer {
  return json(200, {
    id: "local",
    state: "Running",
    version: workerVersion,
    processUptime: Math.round(process.uptime() * 1000),
  });
}

function json(status: number, value: unknown): HttpAnswer {
  return { status, headers: [["content-type", "application/json"]], body: Buffer.from(JSON.stringify(value)) };
}

/** An answer without a body. */
export function empty(status: number): HttpAnswer {
  return { status, headers: [], body: new Uint8Array() };
}
