/** The verbs of `sallyportctl` that bring a customer in and let people ask, against the real function app. */
import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { drawPublisherKey, writeArchive, writeManifest } from "../../build/manifest.ts";
import { file } from "../../build/release/entries.ts";
import { CONNECTION, SITE, TENANT } from "../../stack/start.ts";
import { type Operator, startOperator } from "./operator.ts";
import { runCtl } from "./run.ts";

describe("sallyportctl: customers, their agents and keys, and who may ask", () => {
  let operator: Operator;

  before(async () => {
    operator = await startOperator();
    await operator.definePull("flights", "dbo.Flights");
  });
  after(() => operator.end());

  it("tenants, sites, codes and connections", async () => {
    await operator.session("onboarding", [
      ["tenants", "create", "fabrikam", "--name", "Fabrikam & Søn"],
      ["tenants", "list"],
      ["tenants", "list", "--json"],
      ["sites", "list", "--tenant", "fabrikam"],
      ["sites", "create", "bergen", "--name", "Bergen", "--tenant", "fabrikam"],
      ["sites", "create", "bergen", "--name", "Another", "--tenant", "fabrikam"],
      ["sites", "list", "--tenant", "fabrikam"],
      ["sites", "list", "--tenant", "fabrikam", "--json"],
      ["codes", "create", "--site", "bergen", "--tenant", "fabrikam"],
      ["codes", "create", "--site", "nowhere", "--tenant", "fabrikam", "--json"],
      ["agents", "list", "--site", "bergen", "--tenant", "fabrikam"],
      ["connections", "list", "--tenant", "fabrikam"],
      ["connections", "create", "crm", "--site", "bergen", "--tenant", "fabrikam"],
      ["connections", "create", "crm", "--site", "bergen", "--kind", "oracle", "--tenant", "fabrikam"],
      ["connections", "list"],
      ["connections", "list", "--tenant", "fabrikam", "--json"],
    ]);
  });

  it("a credential comes from a file or through a pipe, and is not shown", async () => {
    const path = operator.file("crm.password", "mark-4711-word\n");
    await operator.session("credential", [
      ["connections", "credential", "crm", "--login", "svc", "--password-file", path, "--tenant", "fabrikam"],
      ["connections", "credential", "nothing", "--login", "svc", "--password-file", path, "--tenant", "fabrikam"],
      ["connections", "credential", "crm", "--login", "svc", "--tenant", "fabrikam"],
    ]);
    // By its former names, too.
    const piped = await operator.ctl(
      ["credentials", "store", "crm", "--user", "svc", "--tenant", "fabrikam"],
      {},
      "word\n",
    );
    assert.deepEqual(piped, { exitCode: 0, stdout: "The credential of crm is stored.\n", stderr: "" });
    chmodSync(path, 0o644);
    const open = await operator.ctl(["connections", "credential", "crm", "--login", "svc", "--password-file", path]);
    assert.equal(open.exitCode, 64);
    assert.match(open.stderr, /mode 0644: others may read a password\.\n {2}chmod 600 /);
  });

  it("agents: listed, approved by their fingerprint only, revoked", async () => {
    const { stdout } = await operator.ctl(["agents", "list", "--site", SITE, "--json"]);
    const [{ id, fingerprint }] = JSON.parse(stdout) as [{ id: string; fingerprint: string }];
    const other = `SHA256:${"A".repeat(43)}`;
    const unknown = "0".repeat(32);
    const listed = await operator.ctl(["agents", "list", "--site", SITE]);
    assert.match(listed.stdout, new RegExp(`^AGENT +STATUS +HOST .*\\n${id} +active .* ${fingerprint}\\n$`));
    await operator.session("agents", [
      ["agents", "approve", id, "--site", SITE, "--fingerprint", fingerprint],
      ["agents", "approve", id, "--site", SITE, "--fingerprint", other],
      ["agents", "approve", id, "--site", SITE, "--fingerprint", "SHA256:short"],
      ["agents", "approve", unknown, "--site", SITE, "--fingerprint", other],
      ["agents", "revoke", id, "--site", SITE],
      ["agents", "revoke", unknown, "--site", SITE, "--yes"],
    ]);
  });

  it("keys: made for a tenant or for all, saved or shown, revoked", async () => {
    const save = join(operator.folder, "watch.key");
    const ran = await operator.session("keys", [
      ["keys", "create", "watch", "--scope", "runs:read", "--scope", "pulls:read", "--save", save],
      ["keys", "create", "watch-2", "--scope", "runs:read", "--save", save],
      ["keys", "create", "watch", "--scope", "runs:read"],
      ["keys", "create", "shown", "--scope", "runs:read", "--all-tenants", "--days", "7"],
      ["keys", "create", "json", "--scope", "runs:read", "--json"],
      ["keys", "create", "nothing", "--scope", "everything"],
      ["keys", "list"],
      ["keys", "list", "--json"],
      ["keys", "rotate", "shown", "--overlap-hours", "1"],
      ["keys", "create", "narrow", "--scope", "runs:read", "--only-pull", "flights", "--only-site", SITE],
      ["keys", "revoke", "shown"],
      ["keys", "revoke", "shown", "--yes"],
      ["keys", "revoke", "nobody", "--yes"],
      ["runs", "list", "flights", "--key-file", save],
      ["keys", "list", "--key-file", save],
    ]);
    assert.equal(statSync(save).mode & 0o777, 0o600);
    assert.match(ran[3]!.stdout, /^sp_shown_[A-Za-z0-9_-]{43}\n$/);
    const lost = join(operator.folder, "lost.key");
    assert.equal((await operator.ctl(["keys", "create", "watch", "--scope", "runs:read", "--save", lost])).exitCode, 1);
    assert.equal(existsSync(lost), false, "a key that was not made leaves no file");
  });

  it("connections are tested by an agent, from end to end", async () => {
    const good = await operator.ctl(["connections", "test", CONNECTION]);
    assert.equal(good.exitCode, 0, good.stdout + good.stderr);
    assert.match(good.stdout, /^login +ok/m);
    const bad = await operator.ctl(["connections", "test", "crm", "--tenant", "fabrikam"]);
    assert.equal(bad.exitCode, 1);
    assert.match(bad.stdout, /^agent +failed +agent\.offline: /m);
  });

  it("a login is kept for later calls, in a file of its owner's", async () => {
    const { SALLYPORT_URL = "", SALLYPORT_KEY_FILE = "", NODE_EXTRA_CA_CERTS = "" } = operator.environment;
    const bare = { XDG_CONFIG_HOME: join(operator.folder, "config"), NODE_EXTRA_CA_CERTS };
    const logged = await runCtl(
      ["login", "--url", SALLYPORT_URL, "--tenant", TENANT, "--key-file", SALLYPORT_KEY_FILE],
      bare,
    );
    assert.equal(logged.exitCode, 0, logged.stderr);
    assert.equal(statSync(join(operator.folder, "config/sallyport/login.json")).mode & 0o777, 0o600);
    const listed = await runCtl(["pulls", "list"], bare);
    assert.match(listed.stdout, /^PULL .*\n(.*\n)*flights /);
    const wrong = await runCtl(["login", "--url", SALLYPORT_URL], bare, `sp_admin_${"A".repeat(43)}\n`);
    assert.equal(wrong.exitCode, 77);
    assert.equal((await runCtl(["pulls", "list"], bare)).exitCode, 0, "what was kept stays");
  });

  it("pulls, connections and sites are removed in this order only, and leave their places in the quota", async () => {
    const at = ["--tenant", "leaner"];
    const { api } = operator.stack;
    await api.post("/tenants", { id: "leaner", name: "Leaner" });
    await api.post("/tenants/leaner/sites", { id: "bergen", name: "Bergen" });
    await api.post("/tenants/leaner/connections", { id: "crm", site: "bergen", kind: "mssql" });
    await api.post("/tenants/leaner/pulls", {
      id: "orders",
      definition: { connection: "crm", operation: { op: "sql.table", table: "dbo.Orders", columns: "*" } },
    });
    await operator.session("removed", [
      ["sites", "remove", "bergen", ...at, "--yes"],
      ["connections", "remove", "crm", ...at, "--yes"],
      ["pulls", "remove", "orders", ...at],
      ["pulls", "remove", "orders", ...at, "--yes"],
      ["pulls", "remove", "orders", ...at, "--yes"],
      ["connections", "remove", "crm", ...at],
      ["connections", "remove", "crm", ...at, "--yes", "--json"],
      ["sites", "remove", "bergen", ...at],
      ["sites", "remove", "bergen", ...at, "--yes"],
      ["tenants", "show", "leaner"],
      ["audit", "list", ...at],
    ]);
  });

  it("releases: added with their files, listed, and let go ring by ring", async () => {
    const release = join(operator.folder, "release");
    mkdirSync(release);
    const of = { version: "9.1.0", channel: "stable", ring: "early", minimum: "0.1.0" } as const;
    const packed = { version: of.version, platform: "linux-x64", epochSeconds: 0 };
    const one = writeArchive(release, [file("node", "a program")], packed);
    writeManifest(release, { ...of, notBefore: new Date(0) }, [one], drawPublisherKey().privateKey);
    const good = readFileSync(join(release, one.name));
    writeFileSync(join(release, one.name), "another file");
    const wrong = await operator.ctl(["releases", "add", release]);
    assert.deepEqual([wrong.exitCode, wrong.stdout], [78, ""]);
    assert.match(wrong.stderr, /linux-x64\.tar\.gz is not the file that the manifest names/);
    writeFileSync(join(release, one.name), good);
    await operator.session("releases", [
      ["releases", "list"],
      ["releases", "add", operator.folder],
      ["releases", "add", release],
      ["releases", "add", release],
      ["releases", "add", release, "--json"],
      ["releases", "ring", "stable", "9.1.0", "first"],
      ["releases", "ring", "stable", "9.1.0", "broad"],
      ["releases", "ring", "stable", "9.1.0", "everybody"],
      ["releases", "ring", "preview", "9.1.0", "first"],
      ["releases", "list"],
      ["releases", "ring", "stable", "9.1.0", "none", "--json"],
    ]);
  });

  it("tenants: quotas, what is stored of one, who changed it, and its end", async () => {
    await operator.ctl(["tenants", "create", "gone", "--name", "Gone & Co"]);
    await operator.ctl(["sites", "create", "here", "--tenant", "gone"]);
    await operator.session("tenants", [
      ["tenants", "change", "gone", "--quota", "pulls=5", "--quota", "keys=2"],
      ["tenants", "change", "gone", "--quota", "everything=5"],
      ["tenants", "show", "gone", "--json"],
      ["tenants", "export", "gone"],
      ["audit", "list", "--tenant", "gone"],
      ["tenants", "offboard", "gone"],
      ["tenants", "offboard", "gone", "--yes"],
      ["sites", "create", "more", "--tenant", "gone"],
    ]);
  });

  it("a wrong key is 77, another tenant's too; both say what to do", async () => {
    const wrong = operator.file("wrong.key", `sp_admin_${"A".repeat(43)}\n`);
    await operator.session("refused", [
      ["runs", "list", "flights", "--key-file", wrong],
      ["runs", "list", "flights", "--key-file", wrong, "--json"],
      ["pulls", "list", "--key-file", join(operator.folder, "watch.key"), "--tenant", "fabrikam"],
      ["pulls", "pause", "flights", "--key-file", join(operator.folder, "watch.key")],
      ["pulls", "list", "--tenant", "No Such"],
    ]);
  });

  it("an authority that is not trusted is 69; --ca trusts it", async () => {
    const untrusted = await operator.ctl(["pulls", "list"], { NODE_EXTRA_CA_CERTS: "" });
    assert.equal(untrusted.exitCode, 69);
    assert.match(untrusted.stderr, /--ca/);
    const trusted = await operator.ctl(["pulls", "list", "--ca", join(operator.folder, "ca.pem")], {
      NODE_EXTRA_CA_CERTS: "",
    });
    assert.equal(trusted.exitCode, 0);
  });
});
