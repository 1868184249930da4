/** What goes wrong, and what must come of it. Each is planted into the running stack by its own rig. */
import type { ErrorCode } from "@sallyport/shared/protocol/errors.ts";
import { until } from "../processes.ts";
import { viewOf } from "./observe.ts";
import type { Expected } from "./outcome.ts";
import { FEW, type Rig, ROWS } from "./rig.ts";

export interface FaultCase extends Pick<Expected, "end" | "says" | "sessions"> {
  readonly name: string;
  /** By default a full read of `dbo.Numbered`. */
  readonly read?: { readonly table?: string; readonly columns?: readonly string[]; readonly limits?: object };
  readonly rows?: number;
  /** Before the run starts. What is planted is taken away after the case, whatever came of it. */
  plant?(rig: Rig): unknown;
  /** Once the run was started. */
  meanwhile?(rig: Rig, run: string): Promise<void>;
}

const READ = /FROM \[dbo\]\.\[Numbered\]/;
const FEW_READ = { table: "dbo.Few" } as const;
/** It passes by itself: the run says so, tries again, and every row is there once. */
const passes = (code: ErrorCode, journaled: ErrorCode = code) =>
  ({ end: "published", says: code, sessions: [journaled, "ok"] }) as const;
const fails = (code: ErrorCode) => ({ end: code, sessions: [code] }) as const;

type RowFault = Parameters<Rig["tds"]["faults"]["add"]>[0];
const inRows =
  (fault: RowFault, times = 1) =>
  ({ tds }: Rig) =>
    tds.faults.add(fault, { statement: READ, times });
const atLogin =
  (fault: RowFault) =>
  ({ tds }: Rig) =>
    tds.faults.add(fault, { times: 1 });

export const SOURCE_CASES: readonly FaultCase[] = [
  {
    name: "SQL Server stalls in the middle of a row, until the session's time is over",
    read: { limits: { seconds: 2 } },
    plant: inRows({ kind: "stallInRow", afterRows: 2000 }),
    ...fails("limit.time"),
  },
  {
    name: "SQL Server resets the connection in the middle",
    plant: inRows({ kind: "reset", afterRows: 3000 }),
    ...passes("connection.lost"),
  },
  {
    name: "SQL Server chooses the read as a deadlock's victim, after 2,500 rows",
    plant: inRows({ kind: "error", afterRows: 2500, number: 1205 }),
    ...passes("sql.deadlock"),
  },
  {
    name: "SQL Server waits too long for a lock, before the first row",
    plant: inRows({ kind: "error", afterRows: 0, number: 1222 }),
    ...passes("sql.timeout"),
  },
  {
    name: "SQL Server fails in the middle with what no repeat mends",
    plant: inRows({ kind: "error", afterRows: 2500, number: 8134 }),
    ...fails("sql.failed"),
  },
  {
    name: "SQL Server sends bytes that do not add up",
    plant: inRows({ kind: "wrongLength", afterRows: 1500 }),
    ...passes("connection.lost"),
  },
  {
    name: "SQL Server sends a cell that is larger than the policy allows",
    plant: inRows({ kind: "hugeValue", afterRows: 2000, characters: 20_000_000 }),
    ...fails("limit.bytes"),
  },
  {
    name: "SQL Server takes its time to answer the login",
    read: FEW_READ,
    rows: FEW,
    plant: atLogin({ kind: "loginDelay", delayMs: 1500 }),
    end: "published",
    sessions: ["ok"],
  },
  {
    name: "SQL Server closes the connection at once",
    plant: atLogin({ kind: "refuse" }),
    ...passes("connection.unreachable"),
  },
  {
    name: "SQL Server shows a certificate of an authority that the policy does not know",
    plant: (rig) => rig.tds.faults.add({ kind: "certificate", ...rig.foreign }, { times: 1 }),
    ...fails("connection.tls"),
  },
  {
    name: "the database is offline",
    plant: atLogin({ kind: "loginError", number: 4060 }),
    ...passes("connection.database"),
  },
  {
    name: "the login is refused",
    plant: atLogin({ kind: "loginError", number: 18456 }),
    ...fails("connection.login_failed"),
  },
  {
    name: "the account is locked",
    plant: atLogin({ kind: "loginError", number: 18486 }),
    ...fails("connection.account_locked"),
  },
  { name: "the table is not there", read: { table: "dbo.Gone" }, ...fails("sql.not_found") },
  { name: "a column is not there", read: { columns: ["Id", "Colour"] }, ...fails("sql.not_found") },
];

type MessageFault = Parameters<Rig["stack"]["relay"]["faults"]["message"]>[0];
const onTheWay =
  (fault: MessageFault["do"], nth: number, direction: MessageFault["direction"] = "toSender") =>
  ({ stack, path }: Rig) =>
    stack.relay.faults.message({ path, direction, nth, do: fault, times: 1 });
/** Slow enough to be met in the middle, and for checkpoints on the way; the next session is quick again. */
const slowly = inRows({ kind: "slowRows", everyRows: 300, delayMs: 300 });
const BYTES_BEFORE_CUT = 100_000;

/** Waits until a session is in the middle of its rows, and acts. */
const inTheMiddle = (act: (rig: Rig) => unknown) => async (rig: Rig) => {
  const { relay } = rig.stack;
  const before = relay.stats().bytesToSender;
  await until("rows are on their way", () => relay.stats().bytesToSender - before > BYTES_BEFORE_CUT);
  await act(rig);
};

const sliceCommitted = (rig: Rig, run: string) =>
  until("a slice is committed", async () => ((await viewOf(rig, run))?.slices ?? 0) > 0);

export const RELAY_CASES: readonly FaultCase[] = [
  ...(["alter", "drop", "repeat", "reorder"] as const).map((fault) => ({
    name: `the relay does ${fault} a message among the rows`,
    plant: onTheWay(fault, 8),
    end: "published" as const,
    says: "protocol.integrity" as const,
    // The agent may have sent its last frame before it was told.
    sessions: [["ok", "protocol.truncated"], "ok"] as const,
  })),
  {
    name: "the relay alters the hello",
    plant: onTheWay("alter", 1),
    end: "published",
    says: "protocol.hello",
    sessions: ["ok"],
  },
  {
    name: "the relay alters the request",
    plant: onTheWay("alter", 1, "toListener"),
    end: "published",
    says: "protocol.truncated",
    sessions: ["ok"],
  },
  {
    name: "the relay alters what the orchestrator says to the agent among the rows",
    plant: onTheWay("alter", 2, "toListener"),
    ...passes("protocol.truncated", "protocol.integrity"),
  },
  {
    name: "the link is cut after some slices were committed",
    plant: slowly,
    meanwhile: async (rig, run) => {
      await sliceCommitted(rig, run);
      rig.stack.relay.faults.resetSessions("both", rig.path);
    },
    ...passes("protocol.truncated"),
  },
  {
    name: "the relay closes the session in the middle",
    plant: slowly,
    meanwhile: inTheMiddle(({ stack, path }) => stack.relay.faults.closeSessions(1001, path)),
    ...passes("protocol.truncated"),
  },
  {
    name: "the relay refuses the orchestrator's handshake",
    plant: ({ stack, path }) =>
      stack.relay.faults.handshake({ path, on: "connect", do: "status", status: 503, times: 1 }),
    end: "published",
    says: "agent.offline",
    sessions: ["ok"],
  },
  {
    name: "the relay resets the agent's way to the rendezvous",
    plant: ({ stack, path }) => stack.relay.faults.handshake({ path, on: "rendezvous", do: "reset", times: 1 }),
    end: "published",
    says: "agent.offline",
    sessions: ["ok"],
  },
  {
    name: "the relay tells the agent of a session twice",
    plant: ({ stack, path }) => stack.relay.faults.accept({ path, do: "duplicate", times: 1 }),
    end: "published",
    sessions: ["ok"],
  },
  {
    name: "the agent's listener is closed during a session, which goes on",
    plant: slowly,
    meanwhile: inTheMiddle(({ stack, path }) => stack.relay.faults.closeListeners(1011, path)),
    end: "published",
    sessions: ["ok"],
  },
  ...(["notJson", "binary", "unknown", "oversize"] as const).map((frame) => ({
    name: `the relay sends the agent a control message that is ${frame}`,
    plant: ({ stack, path }: Rig) => void stack.relay.faults.controlFrame(frame, path),
    end: "published" as const,
    sessions: ["ok" as const],
  })),
];

const failing =
  (which: Parameters<Rig["storage"]["fail"]>[0]) =>
  ({ storage }: Rig) =>
    storage.fail(which);
const isData = ({ service, method, path }: { service: string; method: string; path: string }) =>
  service === "blob" && method === "PUT" && path.includes("/data/");

export const STORAGE_CASES: readonly FaultCase[] = [
  {
    name: "blobs cannot be written for a while",
    plant: failing(isData),
    meanwhile: async (rig, run) => {
      await until("the run says so", async () => (await viewOf(rig, run))?.error?.code === "storage.failed");
      rig.storage.fail(undefined);
    },
    end: "published",
    says: "storage.failed",
    // The agent may have sent its last frame before a block was refused.
    sessions: [["ok", "protocol.truncated", "request.cancelled"], "ok"],
  },
  {
    name: "tables do not answer in the middle of a run",
    plant: slowly,
    meanwhile: async (rig, run) => {
      await sliceCommitted(rig, run);
      const before = rig.storage.refused;
      rig.storage.fail(({ service }) => service === "table");
      await until("tables were asked", () => rig.storage.refused - before > 3);
      rig.storage.fail(undefined);
    },
    end: "published",
    sessions: ["ok"],
  },
];

export const expectedOf = ({ end, says, sessions, rows = ROWS }: FaultCase, rig: Rig): Expected => ({
  end,
  ...(says === undefined ? {} : { says }),
  sessions,
  rows,
  secrets: [rig.mark, rig.password],
});
