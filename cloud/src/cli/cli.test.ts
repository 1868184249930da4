import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import type { Command } from "commander";
import { EXIT } from "./exit.ts";
import { createProgram } from "./program.ts";
import { refuseSecrets } from "./secret.ts";

const MAIN = fileURLToPath(new URL("./main.ts", import.meta.url));
const KEY = `sp_admin_${"Kk0_-".repeat(8)}abc`;
/** Where nobody listens: a port that was free a moment ago. */
let nowhere: string;
let folder: string;
before(async () => {
  folder = mkdtempSync(join(tmpdir(), "sallyportctl-"));
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((done) => server.once("listening", done));
  nowhere = `https://127.0.0.1:${(server.address() as { port: number }).port}`;
  await new Promise((done) => server.close(done));
});
after(() => rmSync(folder, { recursive: true, force: true }));

const ctl = (args: readonly string[], env: Readonly<Record<string, string>> = {}, input = "") => {
  const node = ["--disable-warning=ExperimentalWarning", MAIN, ...args];
  // Nobody's own login.
  const own = { XDG_CONFIG_HOME: join(folder, "config"), ...env };
  const { status, stdout, stderr } = spawnSync(process.execPath, node, { encoding: "utf8", env: own, input });
  return { status, stdout, stderr };
};
const file = (name: string, content: string, mode: number) => {
  const path = join(folder, name);
  writeFileSync(path, content);
  chmodSync(path, mode);
  return path;
};

const VERBS: Readonly<Record<string, readonly string[]>> = {
  runs: ["list", "show", "parts", "watch", "cancel", "retry"],
  pulls: ["list", "show", "run", "pause", "resume", "reset", "remove"],
  tenants: ["list", "create", "show", "change", "export", "offboard"],
  sites: ["list", "create", "remove"],
  agents: ["list", "keys", "approve", "drain", "resume", "revoke"],
  codes: ["create"],
  connections: ["list", "create", "credential", "test", "remove"],
  credentials: ["store"],
  requests: ["run", "show"],
  events: ["list"],
  webhooks: ["list", "create", "show", "rotate", "test", "remove", "dead", "replay"],
  keys: ["list", "create", "rotate", "revoke"],
  audit: ["list"],
  releases: ["add", "list", "ring"],
  diff: [],
  apply: [],
  login: [],
  "signing-key": ["announce", "adopt"],
};

describe("help", () => {
  const program = createProgram();
  const helpOf = (command: Command): string => {
    const parts: string[] = [];
    command.configureOutput({ writeOut: (part) => void parts.push(part) }).outputHelp();
    return parts.join("");
  };

  it("knows these nouns and verbs", () => {
    const found = program.commands.map((noun) => [noun.name(), noun.commands.map((verb) => verb.name())]);
    assert.deepEqual(Object.fromEntries(found), VERBS);
  });

  it("names each exit code", () => {
    const [, named = ""] = /^Exit codes: (.*)$/m.exec(helpOf(program)) ?? [];
    for (const code of Object.values(EXIT)) assert.match(named, new RegExp(`\\b${code}\\b`), `${code}`);
  });

  it("teaches with an example of each", () => {
    for (const noun of program.commands) {
      for (const verb of noun.commands.length === 0 ? [noun] : noun.commands) {
        const name = noun === verb ? noun.name() : `${noun.name()} ${verb.name()}`;
        assert.match(helpOf(verb), new RegExp(`\\nExample:\\n {2}sallyportctl ${name}`), name);
      }
    }
  });

  it("comes on the standard output with 0, where it was asked for", () => {
    const { status, stdout } = ctl(["runs", "watch", "--help"]);
    assert.equal(status, 0);
    assert.match(stdout, /Ctrl-C leaves the run alone/);
  });

  it("without a verb it is usage, 64, and says where to start", () => {
    const { status, stderr } = ctl([]);
    assert.equal(status, 64);
    assert.match(stderr, /Start here:/);
    for (const args of [["conquer"], ["runs", "list", "Not An Id"], ["runs", "list"]]) {
      assert.equal(ctl(args).status, 64, args.join(" "));
    }
  });

  it("a wrong command line is told as every error is: once, with what to do next, and as JSON", () => {
    assert.deepEqual(ctl(["agents", "list"]), {
      status: 64,
      stdout: "",
      stderr: "sallyportctl: required option '--site <id>' not specified\n  Add --help to see how it goes.\n",
    });
    assert.match(ctl(["agents", "lst"]).stderr, /^sallyportctl: unknown command 'lst' \(Did you mean list\?\)\n/);
    const { status, stdout, stderr } = ctl(["runs", "list", "--json"]);
    assert.deepEqual([status, stderr], [64, ""]);
    const { error } = JSON.parse(stdout) as { error: Record<string, unknown> };
    assert.match(String(error.message), /missing required argument 'pull'/);
  });
});

describe("secrets on the command line", () => {
  const refused: Readonly<Record<string, readonly string[]>> = {
    "a key as an option": ["runs", "list", "orders", "--key", KEY],
    "a key in an option": ["runs", "list", "orders", `--key-file=${KEY}`],
    "a key anywhere": ["runs", "show", KEY],
    "a password": ["connections", "credential", "erp", "--login", "svc", "--password", "s3cret-word"],
    "a password with =": ["connections", "credential", "erp", "--password=s3cret-word"],
    "a token": ["pulls", "list", "--token", "s3cret-word"],
    "a user in the URL": ["pulls", "list", "--url", "https://jane:s3cret-word@localhost"],
    "a user in the URL with =": ["pulls", "list", "--url=https://s3cret-word@localhost"],
    "the environment's own key, whatever it looks like": ["runs", "show", "an-odd-key"],
  };
  for (const [name, args] of Object.entries(refused)) {
    it(`${name} is refused with 64`, () => {
      assert.throws(() => refuseSecrets(args, "an-odd-key"), { exit: 64, next: /SALLYPORT_API_KEY or --key-file/ });
    });
  }

  it("what only looks a little like one is not", () => {
    for (const args of [
      ["keys", "create", "night-watch"],
      ["connections", "credential", "erp", "--password-file", "f"],
    ]) {
      refuseSecrets([...args, "--key-file", "admin.key", "--url", "https://localhost:7071"], KEY);
    }
  });

  it("are not repeated, not even by the parser", () => {
    const args = ["connections", "credential", "erp", "--login", "svc", "--password=s3cret-word", KEY];
    const { status, stdout, stderr } = ctl(args, { SALLYPORT_URL: nowhere });
    assert.equal(status, 64);
    assert.match(stderr, /every user of this machine sees it/);
    assert.doesNotMatch(stdout + stderr, /s3cret-word|Kk0_/);
  });
});

describe("settings", () => {
  const good = () => ({ SALLYPORT_URL: nowhere, SALLYPORT_API_KEY: KEY, SALLYPORT_TENANT: "contoso" });
  const says = (expected: RegExp, status: number, args: readonly string[], env: Readonly<Record<string, string>>) => {
    const ran = ctl(args, env);
    assert.equal(ran.status, status, ran.stderr);
    assert.match(ran.stderr, expected);
    assert.doesNotMatch(ran.stdout + ran.stderr, /Kk0_/);
  };

  it("an address that is missing, not https or more than an origin is 78", () => {
    says(/SALLYPORT_URL/, 78, ["pulls", "list"], { ...good(), SALLYPORT_URL: "" });
    says(/only https: is used/, 78, ["pulls", "list"], { ...good(), SALLYPORT_URL: "http://localhost" });
    says(/only https: is used/, 78, ["pulls", "list"], { ...good(), SALLYPORT_URL: "localhost" });
    says(/more than an origin/, 78, ["pulls", "list"], { ...good(), SALLYPORT_URL: "https://localhost/api/v1" });
    says(/more than an origin/, 78, ["pulls", "list"], { ...good(), SALLYPORT_URL: "https://jane:x@localhost" });
  });

  it("a key that is missing or none is 78, one in a file that is not there or that others may read 64", () => {
    says(/There is no API key/, 78, ["pulls", "list"], { ...good(), SALLYPORT_API_KEY: "" });
    says(/not one line/, 78, ["pulls", "list"], { ...good(), SALLYPORT_API_KEY: "Kk0_ with spaces" });
    says(/cannot be read \(ENOENT\)/, 64, ["pulls", "list", "--key-file", join(folder, "none")], good());
    for (const mode of [0o644, 0o640, 0o604]) {
      says(/mode 06\d\d.*\n {2}chmod 600/, 64, ["pulls", "list", "--key-file", file("open.key", KEY, mode)], good());
    }
    says(/did not answer/, 69, ["pulls", "list", "--key-file", file("own.key", `${KEY}\n`, 0o600)], {
      ...good(),
      SALLYPORT_API_KEY: "",
    });
  });

  it("a tenant is needed where one is meant, 64; an authority's file must be there, 78", () => {
    says(/No tenant is given/, 64, ["pulls", "list"], { ...good(), SALLYPORT_TENANT: "" });
    says(/cannot be read \(ENOENT\)/, 78, ["pulls", "list", "--ca", join(folder, "none.pem")], good());
  });

  it("a server that is not there is 69 and says what to look at", () => {
    says(/did not answer: .*ECONNREFUSED.*\n {2}Check SALLYPORT_URL/, 69, ["tenants", "list"], good());
  });

  it("with --json an error is an object with every field, on the standard output", () => {
    const { status, stdout, stderr } = ctl(["tenants", "list", "--json"], good());
    assert.deepEqual([status, stderr], [69, ""]);
    const { error } = JSON.parse(stdout) as { error: Record<string, unknown> };
    assert.deepEqual(Object.keys(error), ["code", "message", "advice", "next", "facts", "instance"]);
    assert.deepEqual([error.code, error.facts], [null, {}]);
  });

  it("what cannot be undone is done with --yes only", () => {
    for (const args of [
      ["pulls", "reset", "orders"],
      ["keys", "revoke", "k"],
    ]) {
      says(/Add --yes/, 64, args, good());
    }
  });
});

describe("login", () => {
  const login = () => join(folder, "config/sallyport/login.json");
  const save = (content: unknown, mode = 0o600) => {
    mkdirSync(join(folder, "config/sallyport"), { recursive: true });
    writeFileSync(login(), JSON.stringify(content));
    chmodSync(login(), mode);
  };
  const saved = (origin: string) => ({ v: 1, origin, key: KEY, tenant: "contoso" });
  after(() => rmSync(join(folder, "config"), { recursive: true, force: true }));

  it("what it kept is used where nothing else is said", () => {
    save(saved(nowhere));
    const { status, stderr } = ctl(["pulls", "list"]);
    assert.equal(status, 69, stderr);
    assert.match(stderr, new RegExp(`^sallyportctl: ${nowhere} did not answer`));
  });
  it("its key goes to no other address", () => {
    save(saved(nowhere));
    const { status, stderr } = ctl(["pulls", "list"], { SALLYPORT_URL: "https://elsewhere.example" });
    assert.equal(status, 78);
    assert.match(stderr, /There is no API key/);
  });
  it("a file that others may read, or that is none, is refused", () => {
    save(saved(nowhere), 0o644);
    assert.match(ctl(["pulls", "list"]).stderr, /mode 0644: others may read an API key/);
    save({ v: 1 });
    assert.match(ctl(["pulls", "list"]).stderr, /is not what `login` writes/);
  });
  it("a key that nobody answers for is not kept; --forget deletes what was", () => {
    rmSync(login());
    const tried = ctl(["login", "--url", nowhere], {}, `${KEY}\n`);
    assert.equal(tried.status, 69, tried.stderr);
    assert.equal(existsSync(login()), false);
    save(saved(nowhere));
    assert.equal(ctl(["login", "--forget"]).status, 0);
    assert.equal(existsSync(login()), false);
  });
});

describe("files", () => {
  const good = () => ({ SALLYPORT_URL: nowhere, SALLYPORT_API_KEY: KEY, SALLYPORT_TENANT: "contoso" });
  it("one that is not there is 78, one that is wrong 64, and neither is sent", () => {
    for (const args of [
      ["apply", "-f"],
      ["diff", "-f"],
      ["requests", "run", "erp", "-f"],
    ]) {
      assert.equal(ctl([...args, join(folder, "none.yaml")], good()).status, 78, args.join(" "));
      const wrong = ctl([...args, file("wrong.yaml", "a: *b", 0o644)], good());
      assert.equal(wrong.status, 64, args.join(" "));
      assert.match(wrong.stderr, /line 1: aliases/);
    }
  });
});
