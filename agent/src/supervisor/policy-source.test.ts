import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { Logger } from "pino";
import { createPolicySource } from "./policy-source.ts";

const EMPTY = "v: 1\nconnections: {}\n";
const policyOf = (connection: string): string => `v: 1
connections:
  ${connection}:
    kind: mssql
    address: sql01:1433
    database: ERP
    tls: { mode: required }
    logins: [svc]
    rules: [{ id: orders, allow: [table], tables: [dbo.Orders] }]
`;

function source(t: { after(act: () => void): void }) {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-policy-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "policy.yaml");
  writeFileSync(path, EMPTY);
  const told: string[] = [];
  const world = { untrusted: undefined as string | undefined, logged: [] as unknown[] };
  const log = { error: (...words: unknown[]) => world.logged.push(words) } as unknown as Logger;
  const policy = createPolicySource(path, log, {
    changed: (next) => told.push(`changed ${Object.keys(next.policy.connections)}`),
    refused: (why) => told.push(`refused ${why.split("\n")[0]}`),
    untrusted: () => world.untrusted,
  });
  return { path, policy, told, world, write: (text: string) => writeFileSync(path, text) };
}

test("a valid file is taken and told once; the same content again is nothing new", (t) => {
  const { policy, told, write } = source(t);
  const first = policy.current();
  assert.equal(policy.current(), first);
  write(policyOf("erp"));
  assert.deepEqual(Object.keys(policy.current().policy.connections), ["erp"]);
  write(`${policyOf("erp")}`);
  policy.current();
  assert.deepEqual(told, ["changed erp"]);
  assert.equal(policy.state().problem, null);
});

test("one that is not valid, or gone, leaves the former in force; it is told once, and until it is mended", (t) => {
  const { path, policy, told, world, write } = source(t);
  write(policyOf("erp"));
  const good = policy.current();
  write(`${policyOf("erp")}surprise: true\n`);
  for (const _ of ["look", "look again"]) assert.equal(policy.current(), good);
  assert.match(policy.state().problem ?? "", /surprise/);
  rmSync(path);
  assert.equal(policy.current(), good);
  assert.equal(told.filter((each) => each.startsWith("refused")).length, 2);
  assert.equal(world.logged.length, 2);
  write(policyOf("crm"));
  assert.deepEqual(Object.keys(policy.current().policy.connections), ["crm"]);
  assert.equal(policy.state().problem, null);
});

test("one that the agent's own account could have written is not even read", (t) => {
  const { policy, told, world, write } = source(t);
  const good = policy.current();
  world.untrusted = "this account can change policy.yaml";
  write("not: [a policy");
  assert.equal(policy.current(), good);
  assert.deepEqual(told, ["refused this account can change policy.yaml"]);
  world.untrusted = undefined;
  write(policyOf("erp"));
  policy.current();
  assert.equal(told.at(-1), "changed erp");
});
