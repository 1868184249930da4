/** The API's description: a public linter finds nothing, and the same table gives the same bytes. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createConfig, lintFromString } from "@redocly/openapi-core";
import { describeApi } from "@sallyport/cloud/src/access/openapi.ts";
import { ROUTES } from "@sallyport/cloud/src/access/routes/table.ts";

const lint = async (description: unknown): Promise<string[]> => {
  const config = await createConfig({ extends: ["recommended"] });
  const found = await lintFromString({ source: JSON.stringify(description), absoluteRef: "openapi.json", config });
  return found.map(({ severity, ruleId, location: [at] }) => `${severity} ${ruleId} ${at?.pointer ?? ""}`);
};

interface Description {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, unknown>> };
}
interface Operation {
  readonly operationId: string;
  readonly requestBody?: object;
  readonly responses: object;
}

const described = describeApi() as unknown as Description;

describe("the API's description", () => {
  it("passes the linter's recommended rules, without a warning", async () => {
    assert.deepEqual(await lint(described), []);
  });
  it("the linter sees what is wrong", async () => {
    const { paths, components } = structuredClone(described);
    const health = paths["/health"]!.get as { operationId?: string; responses: object };
    delete health.operationId;
    health.responses = {};
    const broken = { ...described, paths, components: { ...components, schemas: {} } };
    const rules = new Set((await lint(broken)).map((problem) => problem.split(" ")[1]));
    for (const rule of ["operation-operationId", "no-unresolved-refs"]) assert.ok(rules.has(rule), rule);
  });
  it("is the same each time it is made", () => {
    assert.equal(JSON.stringify(describeApi()), JSON.stringify(described));
  });
  it("has every route with its body, and no schema that takes just anything", () => {
    const operations = Object.values(described.paths).flatMap((path) => Object.values(path));
    assert.deepEqual(operations.map(({ operationId }) => operationId).sort(), Object.keys(ROUTES).sort());
    for (const { operationId, requestBody } of operations) {
      const { body } = ROUTES[operationId as keyof typeof ROUTES];
      assert.equal(requestBody !== undefined, body !== undefined, operationId);
    }
    const empty = Object.entries(described.components.schemas).filter(
      ([, schema]) => Object.keys(schema as object).length === 0,
    );
    assert.deepEqual(empty, []);
  });
});
