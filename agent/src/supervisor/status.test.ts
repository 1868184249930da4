import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { makeFolders, statePaths } from "../state.ts";
import { type AgentStatus, readStatus, STATUS_STALE_MS, writeStatus } from "./status.ts";

const NOW = Date.UTC(2026, 10, 22);
const SHA = "A".repeat(43);
const status: AgentStatus = {
  ...{ v: 1, at: new Date(NOW).toISOString(), pid: process.pid, startedAt: new Date(NOW).toISOString() },
  ...{ version: "1.0.0", account: "sallyport", agent: "a".repeat(32), tenant: "Contoso", site: "Oslo" },
  ...{ fingerprint: "f", ready: true, notReady: null, locked: false, draining: false },
  channel: { state: "online", since: new Date(NOW).toISOString() },
  token: { state: "none", why: "not asked yet" },
  canary: { heardAt: null, canaryAt: null, missed: 0 },
  policy: { digest: SHA, connections: 0, rules: 0, problem: null },
  ...{ gateway: null, sessions: { running: 0, most: 8, served: 0 }, journal: null, syslog: null, updates: null },
};

test("a status is its agent's word for 20 seconds, and not for as long as a clock was ahead", (t) => {
  const root = mkdtempSync(join(tmpdir(), "sallyport-status-"));
  t.after(() => rmSync(root, { recursive: true }));
  const paths = statePaths(join(root, "agent"));
  makeFolders(paths);
  assert.equal(readStatus(paths, NOW), undefined);
  writeStatus(paths, status);
  const isLive = (nowMs: number) => readStatus(paths, nowMs)?.live;
  assert.deepEqual(
    [0, 5_000, -5_000].map((ms) => isLive(NOW + ms)),
    [true, true, true],
  );
  assert.deepEqual(
    [STATUS_STALE_MS, -STATUS_STALE_MS, -86_400_000].map((ms) => isLive(NOW + ms)),
    [false, false, false],
  );
});
