/** Registers HTTP functions from the table of routes, which is the only way to one. */
import { app, type HttpRequest } from "@azure/functions";
import { guarded, type Handler, open } from "./access/guard.ts";
import { GUARDED, type GuardedName, type OpenName, ROUTES } from "./access/routes/table.ts";
import { orchestrator } from "./compose.ts";

/** For callers with an API key or a token. */
export function serve(name: GuardedName, handler: Handler): void {
  const { path, method } = GUARDED[name];
  app.http(name, {
    route: path,
    methods: [method],
    authLevel: "anonymous",
    handler: guarded(async () => (await orchestrator()).guard, name, GUARDED[name], handler),
  });
}

/** For agents, which sign what they send, and for what is public. */
export function serveOpen(name: OpenName, handler: (request: HttpRequest) => Promise<unknown>): void {
  const { path, method } = ROUTES[name];
  app.http(name, { route: path, methods: [method], authLevel: "anonymous", handler: open(handler) });
}
