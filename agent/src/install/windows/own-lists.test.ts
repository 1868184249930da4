import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { ConfigError } from "../../config-error.ts";
import { refuseOpenKeys } from "../../key-files.ts";
import { makeFolders, statePaths } from "../../state.ts";
import type { Ask } from "./native-child.ts";
import { installationFaults, openToStrangers } from "./own-lists.ts";
import { dueSddl } from "./rights.ts";
import { RIGHTS } from "./sddl.ts";

const PERSON = "S-1-5-21-1-2-3-1001";
const CLOSED = `O:${PERSON}D:AI(A;ID;FA;;;SY)(A;ID;FA;;;BA)(A;ID;FA;;;${PERSON})(A;OICIIOID;GA;;;CO)`;
const OPEN = `${CLOSED}(A;ID;0x1200a9;;;BU)`;

/** Windows with this list for what ends so, and closed ones otherwise. */
const windows =
  (end: string, sddl: string): Ask =>
  (asked) => ({ lists: asked.ask === "lists" ? asked.paths.map((path) => (path.endsWith(end) ? sddl : CLOSED)) : [] });

test("a key is open where anybody but owner, system, administrators and service gets at it", () => {
  assert.deepEqual(openToStrangers(["a", "b"], windows("b", CLOSED)), []);
  assert.deepEqual(openToStrangers(["a", "b"], windows("b", dueSddl(RIGHTS.change))), []);
  assert.deepEqual(openToStrangers(["a", "b"], windows("b", OPEN)), ["b"]);
  assert.deepEqual(openToStrangers(["a"], windows("a", `${CLOSED}(A;;0x1;;;S-1-5-21-1-2-3-1002)`)), ["a"]);
  assert.throws(() => openToStrangers(["a"], windows("a", "D:NO_ACCESS_CONTROL")), /not an access list/);
  assert.throws(() => openToStrangers(["a", "b"], () => ({ lists: [CLOSED] })), ConfigError);
  assert.throws(() => openToStrangers(["a"], () => ({ bytes: "" })), ConfigError);
});

test("open keys are refused on Windows as on Linux, by name and with what to do", (t) => {
  const root = mkdtempSync(join(tmpdir(), "sallyport-own-lists-"));
  t.after(() => rmSync(root, { recursive: true }));
  const paths = statePaths(root);
  makeFolders(paths);
  writeFileSync(paths.identity, "{}");
  refuseOpenKeys(paths, windows("identity.jwk", CLOSED));
  for (const [end, path] of [
    ["identity.jwk", paths.identity],
    ["keys", paths.keys],
  ] as const) {
    const isRefused = (error: unknown) =>
      error instanceof ConfigError &&
      error.message.includes(path) &&
      error.message.includes("sallyport service install");
    assert.throws(() => refuseOpenKeys(paths, windows(end, OPEN)), isRefused);
  }
});

test("an installation is as it should be, or has faults; another folder is none", (t) => {
  const data = mkdtempSync(join(tmpdir(), "sallyport-own-lists-"));
  t.after(() => rmSync(data, { recursive: true }));
  const layout = {
    data,
    configuration: join(data, "config"),
    state: join(data, "state"),
    logs: join(data, "state", "logs"),
  };
  const paths = { ...statePaths(layout.state), configuration: layout.configuration };
  makeFolders(paths);
  mkdirSync(layout.logs);
  const due: Ask = (asked) => ({
    lists:
      asked.ask === "lists"
        ? asked.paths.map((path) =>
            dueSddl(path.startsWith(layout.state) && path !== paths.control ? RIGHTS.change : RIGHTS.read),
          )
        : [],
  });
  assert.deepEqual(installationFaults(paths, due, layout), []);
  assert.match(installationFaults(paths, windows("keys", OPEN), layout)?.join() ?? "", /keys: open to/);
  assert.equal(installationFaults(statePaths(join(data, "other")), due, layout), undefined);
});
