import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { Logger } from "pino";
import { NotNowError } from "../config-error.ts";
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

const NOW = Date.UTC(2026, 10, 22);

function source(t: { after(act: () => void): void }, first = EMPTY) {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-policy-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "policy.yaml");
  writeFileSync(path, first);
  const told: string[] = [];
  const world = { untrusted: undefined as string | undefined, logged: [] as unknown[], wallMs: NOW, monotonicMs: 0 };
  const log = { error: (...words: unknown[]) => world.logged.push(words) } as unknown as Logger;
  const open = () =>
    createPolicySource(
      path,
      log,
      {
        changed: (next) => told.push(`changed ${Object.keys(next.policy.connections)}`),
        refused: (why) => told.push(`refused ${why.split("\n")[0]}`),
        untrusted: () => world.untrusted,
      },
      { wallMs: () => world.wallMs, monotonicMs: () => world.monotonicMs },
    );
  const later = (ms: number): void => {
    world.monotonicMs += ms;
  };
  return { folder, path, policy: open(), open, told, world, later, write: (text: string) => writeFileSync(path, text) };
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

test("what was wrong with the file may mend itself: it is looked at again, and the same fault told once", (t) => {
  const { policy, told, world, later, write } = source(t);
  world.untrusted = "this account can change policy.yaml";
  write(policyOf("erp"));
  for (let looks = 0; looks < 5; looks += 1) {
    policy.current();
    later(30_000);
  }
  assert.deepEqual(told, ["refused this account can change policy.yaml"]);
  assert.equal(world.logged.length, 1);
  world.untrusted = undefined;
  policy.current();
  assert.deepEqual(told.slice(1), ["changed erp"]);
  assert.equal(policy.state().problem, null);
});

test("a file of authorities that comes later, or changes, is read", (t) => {
  const named = policyOf("erp").replace("mode: required", "mode: required, ca: erp.pem");
  const { folder, policy, told, write } = source(t, named);
  assert.equal(policy.current().authorities.erp, undefined);
  writeFileSync(join(folder, "erp.pem"), "first");
  assert.equal(policy.current().authorities.erp, "first");
  writeFileSync(join(folder, "erp.pem"), "second, longer");
  assert.equal(policy.current().authorities.erp, "second, longer");
  assert.deepEqual(told, []);
  write(EMPTY);
  assert.deepEqual(policy.current().authorities, {});
});

test("new rights alone are a change", (t) => {
  const { path, policy, told, world, write } = source(t);
  world.untrusted = "this account can change policy.yaml";
  write(policyOf("erp"));
  policy.current();
  world.untrusted = undefined;
  chmodSync(path, 0o400);
  policy.current();
  assert.equal(told.at(-1), "changed erp");
});

test("a clock that has not been set yet does not make a good policy a wrong one for good", (t) => {
  const raw = policyOf("erp").replace("allow: [table], tables: [dbo.Orders]", "allow: [raw], until: 2026-12-20");
  const { policy, open, world, write } = source(t, raw);
  assert.deepEqual(Object.keys(policy.current().policy.connections), ["erp"]);
  world.wallMs = 0;
  assert.throws(open, (error) => error instanceof NotNowError && /until.*\n.*clock/.test(error.message));
  write(`${raw}surprise: true\n`);
  assert.throws(open, { code: "policy.invalid" });
});
