/** A running agent with a table to read, the orchestrator's own code, and a relay between them that obeys the test. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { sharedAccessSignature } from "@sallyport/cloud/src/relay.ts";
import { createOpenSession } from "@sallyport/cloud/src/sessions/open.ts";
import type { Consumer, SessionOutcome, SessionRequest } from "@sallyport/cloud/src/sessions/session.ts";
import { NO_TELEMETRY } from "@sallyport/cloud/src/telemetry/telemetry.ts";
import { DEFAULT_LIMITS } from "@sallyport/shared/schema/operations.ts";
import { startTds, type Tds } from "../../emulators/tds/start.ts";
import { makeAuthority } from "../../emulators/tls/certificates.ts";
import { childrenOf, residentBytes } from "../../system/processes.ts";
import { pathOf } from "../agent/orchestrator.ts";
import { dial } from "../agent/sender.ts";
import { LOCAL, type RunningAgent, type Site, startSite } from "../agent/site.ts";
import { type Gateway, startGateway } from "./gateway.ts";
import { policyOf } from "./policy.ts";

/** Enough that frames go both ways for a while: 8 MB that do not compress. */
/** About twice the window as they are sent: an agent that hears nothing more is not done. */
const ROWS = 16_000;
export const PASSWORD = "Reader-1-of-this-test";
export const MAX_SESSIONS = 3;
/** What attacks may add to the supervisor: parsing, sockets, and garbage that was not yet collected. */
const GROWTH_BYTES = 96 * 2 ** 20;

export interface World {
  readonly site: Site;
  /** Of dbo.Orders. */
  readonly rows: number;
  readonly tds: Tds;
  readonly gateway: Gateway;
  agent(): RunningAgent;
  /** What the orchestrator raised, `what: reason`, newest last. */
  readonly alerts: string[];
  /** A pull's session by the orchestrator's own code, over the emulated relay or the hostile gateway. */
  read(over?: "relay" | "gateway", table?: string): Read;
  /** The agent is told of a connection that leads to `address`. */
  accept(address: string, headers?: Record<string, unknown>): void;
  /** A fresh challenge, as connects carry it. */
  challenge(): string;
  /** The agent lives, has not grown, and serves the next one. */
  stillServes(): Promise<void>;
  close(): Promise<void>;
}

export interface Read {
  readonly id: string;
  readonly outcome: Promise<SessionOutcome>;
  /** Rows that were given to the consumer so far. */
  rows(): number;
}

export interface WorldOptions {
  /** How long listen tokens live; half an hour by default. */
  readonly tokenSeconds?: number;
  /** Rows of about a kilobyte, in thousands. */
  readonly rows?: number;
  /** The command line that is attacked; otherwise as `startSite` chooses. */
  readonly sallyport?: string;
}

export async function startWorld(options: WorldOptions = {}): Promise<World> {
  const authority = await makeAuthority();
  const tds = await startTds({
    tls: await authority.issue({ names: ["localhost"], addresses: ["127.0.0.1"] }),
    logins: [{ name: "svc", password: PASSWORD, rights: "read" }],
    databases: ["ERP"],
  });
  await tds.sql("CREATE TABLE dbo.Orders (Id int NOT NULL PRIMARY KEY, Note nvarchar(1100) NULL)");
  const total = options.rows ?? ROWS;
  for (let start = 0; start < total; start += 1000) {
    const row = (index: number) => `(${start + index}, N'${randomBytes(500).toString("hex")}')`;
    await tds.sql(`INSERT INTO dbo.Orders VALUES ${Array.from({ length: 1000 }, (_, index) => row(index)).join(", ")}`);
  }
  const site = await startSite(LOCAL, options.sallyport);
  const gateway = await startGateway(await site.authority.issue({ names: ["localhost"], addresses: ["127.0.0.1"] }));
  const enrolled = await site.enroll(site.orchestrator.code(), ["--rendezvous-host", `localhost:${gateway.port}`]);
  assert.equal(enrolled.code, 0, enrolled.stderr);
  writeFileSync(join(site.state, "sql-ca.pem"), authority.caPem);
  site.setPolicy(policyOf(tds.port, new Date()));
  site.addConfig(`maxSessions: ${MAX_SESSIONS}\n`);
  site.orchestrator.faults.tokenSeconds = options.tokenSeconds ?? 1800;
  const agent = await site.start();
  const trusted = getCACertificates("default");
  setDefaultCACertificates([...trusted, site.authority.caPem]);
  const alerts: string[] = [];
  const bounded = residentBytes(agent.process.pid!) + GROWTH_BYTES;

  const registered = () => site.orchestrator.agents.get(site.agentId())!;
  const openOver = (port: number) =>
    createOpenSession({
      relayHost: `localhost:${port}`,
      signer: site.orchestrator.signer,
      authorization: async (path) =>
        sharedAccessSignature(
          { host: `localhost:${port}`, keyName: "send", key: site.sendKey },
          path,
          Math.floor(Date.now() / 1000) + 300,
        ),
      connectionOf: async () => ({ site: "oslo", createdAt: "2026-01-01T00:00:00.000Z", credentialVersion: "1" }),
      candidates: async () => {
        const { id, identity, kid } = registered();
        return [{ id, path: pathOf(id), identity, kid, unsealKid: "" }];
      },
      isCurrent: async () => true,
      credentialOf: async () => ({ form: "plain", user: "svc", password: PASSWORD, signIn: "sql" }),
      began: () => () => {},
      reached: async () => {},
      telemetry: NO_TELEMETRY,
      alert: (what, facts) => void alerts.push(`${what}: ${String(facts.reason)}`),
    });
  const ways = { relay: openOver(site.relay.controlPort), gateway: openOver(gateway.port) };

  return {
    site,
    rows: total,
    tds,
    gateway,
    agent: () => agent,
    alerts,
    read(over = "relay", table = "dbo.Orders") {
      let rows = 0;
      const consumer: Consumer = {
        schema: async () => undefined,
        batch: async (batch) => {
          rows += batch.rows;
        },
        checkpoint: async () => "continue",
      };
      const request: SessionRequest = {
        tenant: "contoso",
        connection: "erp",
        caller: "pull:orders",
        pull: "orders",
        requestId: randomBytes(16).toString("hex"),
        operation: { op: "sql.table", table, columns: "*", watermark: "none" },
        limits: DEFAULT_LIMITS,
      };
      const outcome = ways[over](request, consumer, new AbortController().signal);
      outcome.catch(() => {});
      return { id: request.requestId, outcome, rows: () => rows };
    },
    accept(address, headers = { "Sallyport-Challenge": randomBytes(32).toString("base64url") }) {
      const accept = { address, id: randomBytes(8).toString("hex"), connectHeaders: headers, remoteEndpoint: {} };
      site.relay.faults.controlFrame({ text: JSON.stringify({ accept }) });
    },
    challenge: () => randomBytes(32).toString("base64url"),
    async stillServes() {
      for (;;) {
        const seq = site.journal().length;
        const dialled = await dial(site);
        if (dialled.ok) {
          await dialled.sender.request();
          assert.equal((await dialled.sender.messages()).at(-1)?.kind, "end");
          break;
        }
        assert.equal(dialled.reason, "agent.busy", agent.log().slice(-2000));
        await site.journaled(({ seq: at, event }) => Number(at) > seq && (event === "end" || event === "session"));
      }
      const { pid, exitCode } = agent.process;
      assert.equal(exitCode, null);
      if (process.platform !== "linux") return;
      const bytes = residentBytes(pid!);
      assert.ok(bytes < bounded, `the supervisor holds ${bytes} bytes, more than ${bounded}`);
      // Sessions, one more for each that is being replaced, and two that wait.
      assert.ok(childrenOf(pid!).length <= 2 * MAX_SESSIONS + 2, "too many executors");
    },
    async close() {
      setDefaultCACertificates(trusted);
      await site.close();
      await gateway.stop();
      await tds.close();
    },
  };
}
