/**
 * The access matrix: every route × every scope × own and other tenant, as the function app answers it. What the table of
 * routes says is the expectation; what the host has mapped is what is there.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { before, it } from "node:test";
import { GUARDED, ROUTES } from "@sallyport/cloud/src/access/routes/table.ts";
import { type Scope, scope } from "@sallyport/shared/schema/api.ts";
import { type Stack, TENANT } from "../../stack/start.ts";
import { type Answered, asking } from "./calls.ts";

const OTHER = "northwind";
/** What is there is the tenant alone: no call gets further than the check and a 404. */
const PARTS: Readonly<Record<string, string>> = {
  ...{ tenant: TENANT, site: "nowhere", connection: "nowhere", pull: "nowhere", key: "nobody", webhook: "nobody" },
  ...{ agent: "0".repeat(32), request: "0".repeat(32), run: "nowhere.1234567890123-00000000", letter: "0" },
};
const AT_ONCE = 8;

type Row = (typeof GUARDED)[keyof typeof GUARDED];

const addressOf = (path: string): string =>
  `/api/${path.replace(/\{([a-z]+)\}/g, (_, part: string) => PARTS[part] ?? "nowhere")}`;

/** Everything in `work`, some at once. */
async function each<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const next = items.values();
  const worker = async () => {
    for (const item of next) await work(item);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

export function accessMatrix(stack: () => Stack): void {
  const rows = Object.entries<Row>(GUARDED);
  /** A key for each scope and tenant, with nothing but that scope. */
  const keys = new Map<string, string>();
  const keyOf = (tenant: string | null, one: Scope): string => keys.get(`${tenant} ${one}`)!;
  const ask = ({ method, path }: Row, key: string | undefined): Promise<Answered> =>
    asking(stack(), key)(addressOf(path), { method, ...(method === "GET" ? {} : { body: "{ this is not JSON" }) });
  const seen = new Map<string, Map<string, number[]>>();
  const note = (name: string, column: string, status: number): void => {
    const row = seen.get(name) ?? new Map<string, number[]>();
    seen.set(name, row.set(column, [...(row.get(column) ?? []), status]));
  };

  before(async () => {
    const { api } = stack();
    await api.post("/tenants", { id: OTHER, name: "Northwind" });
    for (const tenant of [TENANT, OTHER, null])
      for (const [index, one] of scope.options.entries()) {
        const id = `only-${tenant ?? "platform"}-${index}`;
        const { key } = await api.post<{ key: string }>("/keys", { id, tenant, scopes: [one] });
        keys.set(`${tenant} ${one}`, key);
      }
  });

  it("the host has mapped the routes of the table, and no other", () => {
    const log = readFileSync(join(stack().folder, "logs/function-app.log"), "utf8");
    const mapped = [...log.matchAll(/Mapped function route '([^']+)' \[([A-Z,]+)\] to '([^']+)'/g)].map(
      ([, path, method, name]) => `${name} ${method} ${path}`,
    );
    const table = Object.entries(ROUTES).map(([name, { method, path }]) => `${name} ${method} ${path}`);
    assert.deepEqual(mapped.sort(), table.sort());
  });

  it("without a key every guarded route is 401", async () => {
    await each(rows, async ([name, row]) => {
      for (const key of [undefined, `sp_admin_${"A".repeat(43)}`]) {
        const { status, json, headers } = await ask(row, key);
        assert.deepEqual([status, json.code], [401, "api.unauthenticated"], name);
        assert.equal(headers["www-authenticate"], "Bearer", name);
        note(name, "no key", status);
      }
    });
  });

  it("each scope opens its own routes for its own tenant, and nothing else", async () => {
    const cells = rows.flatMap(([name, row]) => scope.options.map((one) => ({ name, row, one })));
    await each(cells, async ({ name, row, one }) => {
      const { status, json } = await ask(row, keyOf(TENANT, one));
      const isOpen = one === row.scope && row.about !== "platform";
      note(name, isOpen ? "own tenant" : "own tenant, other scope", status);
      if (isOpen) assert.ok([200, 400, 404].includes(status), `${name} by ${one}: ${status}`);
      else
        assert.deepEqual(
          [status, json.code, json.facts?.scope],
          [403, "api.forbidden", row.scope],
          `${name} by ${one}`,
        );
    });
  });

  it("no scope of another tenant opens anything", async () => {
    const cells = rows.flatMap(([name, row]) => scope.options.map((one) => ({ name, row, one })));
    await each(cells, async ({ name, row, one }) => {
      const { status, json } = await ask(row, keyOf(OTHER, one));
      note(name, "other tenant", status);
      assert.deepEqual([status, json.code], [403, "api.forbidden"], `${name} by ${one}`);
    });
  });

  it("a key of no tenant opens, by its scope, every tenant's routes and those above them", async () => {
    const cells = rows.flatMap(([name, row]) => scope.options.map((one) => ({ name, row, one })));
    await each(cells, async ({ name, row, one }) => {
      const { status } = await ask(row, keyOf(null, one));
      note(name, one === row.scope ? "platform" : "platform, other scope", status);
      if (one === row.scope) assert.ok([200, 400, 404].includes(status), `${name} by ${one}: ${status}`);
      else assert.equal(status, 403, `${name} by ${one}`);
    });
  });

  it("under its own name another tenant finds nothing: 404", async () => {
    const theirs = rows.filter(([, { method, path, about }]) => {
      const isNamed = ["connection", "pull", "run", "request"].includes(about);
      return method === "GET" && isNamed && path.startsWith("v1/tenants/{tenant}/");
    });
    assert.ok(theirs.length >= 5);
    await each(theirs, async ([name, row]) => {
      const address = addressOf(row.path).replace(`/${TENANT}/`, `/${OTHER}/`);
      const { status, json } = await asking(stack(), keyOf(OTHER, row.scope))(address);
      assert.deepEqual([status, json.code], [404, "api.not_found"], name);
      note(name, "other's name", status);
    });
  });

  it("the matrix in short", (t) => {
    const columns = [...new Set([...seen.values()].flatMap((row) => [...row.keys()]))];
    t.diagnostic(`route (scope): ${columns.join(" | ")}`);
    for (const [name, { scope: needed }] of rows) {
      const cells = columns.map((column) => {
        const statuses = seen.get(name)?.get(column) ?? [];
        return (
          [...new Set(statuses)]
            .map((status) => `${status}×${statuses.filter((one) => one === status).length}`)
            .join(" ") || "-"
        );
      });
      t.diagnostic(`${name} (${needed}): ${cells.join(" | ")}`);
    }
    assert.equal(seen.size, rows.length);
  });
}
