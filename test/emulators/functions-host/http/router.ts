import type { HttpFunction } from "../functions.ts";
import { startProblem } from "../start-problem.ts";
import { compareRoutes, matchRoute, parseRoute, type Route, splitPath } from "./route.ts";

export type Router = (method: string, path: string) => { fn: HttpFunction; params: Record<string, string> } | undefined;

/**
 * Makes the router of an app's HTTP functions. A known path with another method is as unknown as any other: the real
 * host answers 404, not 405. Throws a StartProblem for a bad route or two functions with the same one.
 */
export function makeRouter(functions: readonly HttpFunction[], routePrefix: string): Router {
  const entries = functions.map((fn) => ({ fn, route: parseFunctionRoute(fn, routePrefix) }));
  for (const [index, { fn }] of entries.entries()) {
    const twin = functions.slice(0, index).find((other) => conflicts(fn, other));
    if (twin) throw startProblem(`The '${fn.name}' function is in error: its route is that of '${twin.name}'`);
  }
  entries.sort((a, b) => compareRoutes(a.route, b.route));
  return (method, path) => {
    const segments = splitPath(path);
    for (const { fn, route } of entries) {
      if (fn.methods.length > 0 && !fn.methods.includes(method)) continue;
      const params = matchRoute(route, segments);
      if (params !== undefined) return { fn, params };
    }
    return undefined;
  };
}

function parseFunctionRoute(fn: HttpFunction, routePrefix: string): Route {
  try {
    return parseRoute([routePrefix, fn.route].filter((part) => part !== "").join("/"));
  } catch (error) {
    throw startProblem(`The '${fn.name}' function is in error: ${(error as Error).message}`, error);
  }
}

function conflicts(a: HttpFunction, b: HttpFunction): boolean {
  if (a.route.toLowerCase() !== b.route.toLowerCase()) return false;
  return a.methods.length === 0 || b.methods.length === 0 || a.methods.some((method) => b.methods.includes(method));
}
