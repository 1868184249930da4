/** The table of routes in docs/api.md, made from the table of routes: `npx node test/rules/pages.ts` writes it. */
import { join } from "node:path";
import type { About, Route } from "@sallyport/cloud/src/access/routes/route.ts";
import { ROUTES } from "@sallyport/cloud/src/access/routes/table.ts";
import { ROOT } from "./source.ts";

export const PAGE: string = join(ROOT, "docs/api.md");
const BEGIN = "<!-- routes: made by npx node test/rules/pages.ts -->\n";
const END = "<!-- /routes -->\n";

/** What a restricted key is held against. */
const HELD: Readonly<Record<About, string>> = {
  platform: "none",
  tenant: "none",
  site: "the site",
  connection: "the connection",
  pull: "the pull",
  run: "the run's pull",
  request: "the request's connection",
  body: "what the body names",
  list: "each item",
};

const row = (route: Route): string => {
  const cells = [
    `\`${route.method} /api/${route.path}\``,
    route.scope === null ? "none" : route.scope,
    route.scope === null ? "" : HELD[route.about],
    route.does,
  ];
  return `| ${cells.join(" | ")} |\n`;
};

export const routesTable = (routes: Readonly<Record<string, Route>> = ROUTES): string =>
  [
    BEGIN,
    "| call | scope | restricted keys: allowed by | what it does |\n|---|---|---|---|\n",
    ...Object.values(routes).map(row),
    END,
  ].join("");

/** The page with the table in its place. */
export function withTable(page: string, table: string = routesTable()): string {
  const [from, to] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (from < 0 || to < from) throw new Error("docs/api.md has no place for the table of routes");
  return page.slice(0, from) + table + page.slice(to + END.length);
}
