/** What goes wrong says so with a stable code and what to do next, loses nothing, and shows nothing (docs/security/claims.md, 10). */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe } from "node:test";
import { makeAuthority } from "../emulators/tls/certificates.ts";
import { createCleanup } from "../stack/cleanup.ts";
import { type Stack, startStack, TENANT } from "../stack/start.ts";
import { badCalls } from "./bad-input/calls.ts";
import { type Door, makeDoor } from "./bad-input/door.ts";
import { badEnrolments } from "./bad-input/enrolment.ts";
import { badKeys } from "./bad-input/routes.ts";
import { CLAIMS, fillTraps, trapPolicy } from "./bad-input/sample.ts";
import { badSources } from "./bad-input/sources.ts";

describe("bad input", { timeout: 300_000 }, () => {
  const cleanup = createCleanup();
  const folder = mkdtempSync(join(tmpdir(), "sallyport-e2e-"));
  let stack: Stack;
  let door: Door;

  before(async () => {
    door = cleanup.add(await makeDoor(), (it) => it.shut());
    const foreignCaFile = join(folder, "foreign.pem");
    writeFileSync(foreignCaFile, (await makeAuthority()).caPem);
    stack = await startStack({
      folder,
      cleanup,
      settings: { SALLYPORT_CLAIMS: String(CLAIMS), SALLYPORT_BACKOFF_SECONDS: "1" },
      policy: (server, caFile) => trapPolicy(server, { doorPort: door.port, caFile, foreignCaFile }),
    });
    door.leadTo(stack.sqlServer.server.port);
    await fillTraps(stack.sqlServer.server);
    // A connection of a site that has no agent, so that a run of it stays where it is.
    await stack.api.post(`/tenants/${TENANT}/sites`, { id: "nowhere", name: "Nowhere" });
    await stack.api.post(`/tenants/${TENANT}/connections`, { id: "nowhere", site: "nowhere", kind: "mssql" });
    const operation = { op: "sql.table", table: "dbo.Small", columns: "*" };
    await stack.api.post(`/tenants/${TENANT}/pulls`, {
      id: "nowhere",
      definition: { connection: "nowhere", operation },
    });
  });
  after(async () => {
    await cleanup.run();
    rmSync(folder, { recursive: true, force: true });
  });

  describe("an enrolment code", () => badEnrolments(() => stack));
  describe("a call", () => badCalls(() => stack));
  describe("keys", () => badKeys(() => stack));
  describe("a source", () =>
    badSources(
      () => stack,
      () => door,
    ));
});
