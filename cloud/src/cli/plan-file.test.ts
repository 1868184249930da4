import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { differences } from "./compare.ts";
import { readPlan } from "./plan-file.ts";
import { readYaml } from "./yaml.ts";

// biome-ignore-start lint/suspicious/noTemplateCurlyInString: the places are those of the file
const FILE = `
v: 1
templates:
  nightly:
    connection: "\${connection}"
    operation: { op: sql.table, table: "\${schema}.Orders", columns: "*" }
    watermark: rowversion
    schedule: { cron: "\${minute} 2 * * *", timezone: "\${timezone}" }
    limits: { rows: "\${rows}" }
tenants:
  contoso:
    values: { connection: erp, schema: dbo, minute: 0, timezone: Europe/Oslo, rows: 1000 }
    pulls:
      orders: { template: nightly, values: { minute: 30 } }
      small:
        definition: { connection: erp, operation: { op: sql.table, table: "dbo.\${pull}", columns: "*" } }
  fabrikam:
    values: { connection: crm, schema: sales, minute: 5, timezone: UTC, rows: 5 }
    pulls:
      orders: { template: nightly, set: { watermark: none, freshness: { maxAgeSeconds: 90000 } } }
`;
// biome-ignore-end lint/suspicious/noTemplateCurlyInString: so far

const planOf = (text: string) => readPlan(readYaml(text, "pulls.yaml"), "pulls.yaml");
const refuses = (text: string, message: RegExp) => assert.throws(() => planOf(text), { exit: 64, message });

describe("a file of pulls", () => {
  it("gives each tenant's pulls whole, with their own values", () => {
    const plan = planOf(FILE);
    assert.deepEqual(
      plan.map(({ tenant, pull }) => `${tenant}/${pull}`),
      ["contoso/orders", "contoso/small", "fabrikam/orders"],
    );
    const [orders, small, fabrikam] = plan.map(({ definition }) => definition);
    assert.deepEqual([orders?.connection, orders?.schedule?.cron, orders?.limits.rows], ["erp", "30 2 * * *", 1000]);
    assert.equal(small?.operation.op === "sql.table" && small.operation.table, "dbo.small");
    assert.deepEqual([fabrikam?.watermark, fabrikam?.freshness?.maxAgeSeconds], ["none", 90_000]);
    assert.equal(fabrikam?.schedule?.misfire, "once", "what is left out is what the orchestrator would take");
  });

  it("is YAML without surprises: no tag that says nothing either, and no end to a stack", () => {
    for (const [text, message] of [
      ["v: !!int 1", /^pulls\.yaml cannot be read: line 1: tags \(`!name`\) are not allowed$/],
      ["v: 1\ntenants: !!map {}", /line 2: tags/],
      ["v: &one 1\nw: *one", /anchors.*aliases/],
      ["v: 1\nv: 2", /line 2: /],
      ["v: 1\n---\nv: 1", /more than one document/],
      ["[".repeat(100_000), /line 1: /],
      [`v: ${"x".repeat(4 * 2 ** 20)}`, /larger than 4096 KiB/],
    ] as const)
      refuses(text, message);
  });

  it("is refused with every mistake by its place", () => {
    refuses("v: 2\ntenants: {}", /^pulls\.yaml is not what it should be: v: /);
    refuses(
      "v: 1\ntenants: { contoso: { pulls: { a: { template: none } } } }",
      /contoso\.pulls\.a\.template: there is no template none/,
    );
    refuses("v: 1\ntenants: { contoso: { pulls: { a: {} } } }", /has a template or a definition, and not both/);
    refuses(FILE.replace("schema: dbo, ", ""), /contoso\.pulls\.orders: no value is given for \$\{schema\}$/);
    refuses(FILE.replace("rows: 5 }", "rows: many }"), /fabrikam\.pulls\.orders: limits\.rows: /);
    refuses(FILE.replace("watermark: none,", "watermark: cdc,"), /watermark: sql\.table takes none/);
    refuses("v: 1\ntenants: { Contoso: { pulls: {} } }", /Contoso/);
  });

  it("what surprises in YAML is refused with its line", () => {
    refuses("a: &x 1\nb: *x", /line 1: anchors .*line 2: aliases/);
    refuses("a: 1\na: 2", /line 2: /);
    refuses("a: 1\n---\nb: 2", /more than one document/);
    refuses("a: !!js/function x", /line 1: /);
    refuses("", /is empty|not what it should be/);
  });
});

describe("what a file would change", () => {
  const plan = planOf(FILE);
  const stored = (at: number, change: Record<string, unknown> = {}) => ({
    id: plan[at]!.pull,
    revision: 3,
    definition: { ...plan[at]!.definition, ...change },
  });
  const there = (contoso: ReturnType<typeof stored>[]) =>
    new Map([
      ["contoso", contoso],
      ["fabrikam", [stored(2)]],
    ]);

  it("new, changed by which fields, the same, and what is there beside", () => {
    const other = { ...stored(1), id: "other" };
    const found = differences(plan, there([stored(0, { paused: true, limits: {} }), other]));
    assert.deepEqual(
      found.map(({ tenant, pull, state, anew }) => `${tenant}/${pull} ${state} ${anew}`),
      [
        "contoso/orders changed false",
        "contoso/small new false",
        "fabrikam/orders same false",
        "contoso/other unlisted false",
      ],
    );
    assert.deepEqual(found[0]?.fields, [
      { field: "limits.rows", from: undefined, to: 1000 },
      { field: "paused", from: true, to: false },
    ]);
  });

  it("says where a pull would start again: another connection, table or watermark", () => {
    const anew = (change: Record<string, unknown>) => differences(plan, there([stored(0, change)]))[0]?.anew;
    const { operation } = plan[0]!.definition;
    assert.deepEqual(
      [
        { connection: "crm" },
        { operation: { ...operation, table: "dbo.Others" } },
        { watermark: "none" },
        { operation: { ...operation, columns: ["Id"] } },
        { retentionDays: 7 },
      ].map(anew),
      [true, true, true, false, false],
    );
  });
});
