import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { ConfigError } from "./config-error.ts";
import { refuseOpenKeys } from "./key-files.ts";
import { makeFolders, statePaths, writeFileDurably } from "./state.ts";

test("P1.10 keys that others can read, or a folder that they can look into, are refused by name", (t) => {
  const root = mkdtempSync(join(tmpdir(), "sallyport-key-files-"));
  t.after(() => rmSync(root, { recursive: true }));
  const paths = statePaths(join(root, "agent"));
  makeFolders(paths);
  writeFileDurably(paths.identity, "{}\n");
  writeFileDurably(paths.unseal, "{}\n");
  refuseOpenKeys(paths);
  for (const [path, mode, right] of [
    [paths.identity, 0o640, 0o600],
    [paths.unseal, 0o604, 0o600],
    [paths.keys, 0o750, 0o700],
    [paths.keys, 0o711, 0o700],
  ] as const) {
    chmodSync(path, mode);
    assert.throws(
      () => refuseOpenKeys(paths),
      (error: unknown) => error instanceof ConfigError && error.message.includes(path),
    );
    chmodSync(path, right);
    refuseOpenKeys(paths);
  }
  rmSync(paths.keys, { recursive: true });
  mkdirSync(paths.keys, { mode: 0o755 });
  chmodSync(paths.keys, 0o755);
  assert.throws(() => refuseOpenKeys(paths), ConfigError);
});
