/** What a request of the function host is, read from its bytes: the step of a run that it belongs to (docs/runs.md). Pure. */

/** The steps, in the order in which a run meets them first. */
export const STEPS = [
  "wake entry",
  "enter",
  "ring",
  "claim",
  "read",
  "dial",
  "request",
  "plan",
  "frame",
  "block",
  "renewal",
  "block list",
  "slice list",
  "slice commit",
  "complete",
  "hand over",
  "wait",
  "decide",
  "end",
  "list read",
  "manifest",
  "tell",
  "bell answered",
  "wake list",
  "wake entry taken",
  "turn",
  "queue",
  "other",
] as const;
export type Step = (typeof STEPS)[number];

export interface Seen {
  readonly step: Step;
  /** The run's key, where the request names one. */
  readonly run?: string;
  /** The fence that a write of the run carries. */
  readonly fence?: string;
}

export interface HttpRequest {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly body: string;
}

/** One operation of an entity-group transaction. */
interface Operation {
  readonly method: string;
  readonly row: string;
  readonly entity: Readonly<Record<string, unknown>>;
}

/** Tells a run's writes apart, for which the run's last content must be known. */
export function createTableReader(): (request: HttpRequest) => Seen {
  const last = new Map<string, Readonly<Record<string, unknown>>>();
  return ({ method, url, body }) => {
    const table = /^\/[^/]+\/([a-z$]+)/i.exec(url)?.[1] ?? "";
    if (table !== "$batch") return { step: plainStep(table, method) };
    const operations = operationsOf(body);
    if (/\/wake(\(|\r| )/.test(body)) return { step: "wake entry" };
    const run = operations.find(({ row }) => /^run\|[^|]+$/.test(row));
    if (!run) return { step: "other" };
    const id = run.row.slice("run|".length);
    const step = runStep(operations, run, last.get(id));
    if (run.method !== "DELETE") last.set(id, run.entity);
    return { step, run: id, ...(run.entity.fence === undefined ? {} : { fence: String(run.entity.fence) }) };
  };
}

function plainStep(table: string, method: string): Step {
  if (method === "GET") return table === "wake" ? "wake list" : "read";
  return table === "wake" && method === "DELETE" ? "wake entry taken" : "other";
}

function runStep(
  operations: readonly Operation[],
  run: Operation,
  before: Readonly<Record<string, unknown>> | undefined,
): Step {
  const does = (method: string, row: RegExp) => operations.some((each) => each.method === method && row.test(each.row));
  const { state } = run.entity;
  if (run.method === "POST") return "enter";
  if (does("DELETE", /^out\|/)) return "tell";
  if (does("POST", /\|slice\|/)) return "slice commit";
  if (does("POST", /^out\|/)) return state === "decided" || state === "published" ? "decide" : "end";
  if (does("PUT", /^cursor$/)) return state === "running" ? "claim" : "turn";
  if (state === "queued") return "hand over";
  if (state === "waiting") return "wait";
  if (before && !before.plan && run.entity.plan) return "plan";
  if (before && before.complete !== run.entity.complete) return "complete";
  return "renewal";
}

/** The parts of a multipart body: a request line, headers, and one line of JSON where there is a body. */
function operationsOf(body: string): Operation[] {
  return body.split(/^--changeset[^\r\n]*/m).flatMap((part) => {
    const line = /^(POST|PUT|PATCH|MERGE|DELETE) (\S+) HTTP\/1\.1/m.exec(part);
    if (!line) return [];
    const json = /^\{.*\}\s*$/m.exec(part)?.[0];
    const entity = json === undefined ? {} : (JSON.parse(json) as Record<string, unknown>);
    const inUrl = /RowKey='((?:[^']|'')*)'/.exec(decodeURIComponent(line[2]!))?.[1]?.replaceAll("''", "'");
    return [{ method: line[1]!, row: inUrl ?? String(entity.RowKey ?? ""), entity }];
  });
}

export function blobRequest({ method, url }: HttpRequest): Seen {
  if (method === "GET" || method === "HEAD") {
    return { step: /\/slice\.json(\?|$)/.test(decodeURIComponent(url)) ? "list read" : "read" };
  }
  if (method !== "PUT") return { step: "other" };
  if (/[?&]comp=blocklist(&|$)/.test(url)) return { step: "block list" };
  if (/[?&]comp=block(&|$)/.test(url)) return { step: "block" };
  const path = decodeURIComponent(url);
  if (/\/slice\.json(\?|$)/.test(path)) return { step: "slice list" };
  return { step: /\/manifests\/\d+\.json(\?|$)/.test(path) ? "manifest" : "other" };
}

/** Descriptors of AMQP 1.0's performatives (part 2, section 7). */
const TRANSFER = 0x14;
const DISPOSITION = 0x15;
/** A frame's body begins with its performative: 0x00 0x53 and a small code. */
const SMALL_DESCRIPTOR = 0x53;

/** A whole AMQP frame; undefined for what only keeps a connection or a link going. */
export function amqpFrame(frame: Buffer): Seen | undefined {
  const start = frame[4]! * 4;
  if (frame[5] !== 0 || frame[start] !== 0 || frame[start + 1] !== SMALL_DESCRIPTOR) return undefined;
  const performative = frame[start + 2];
  if (performative === DISPOSITION) return { step: "bell answered" };
  if (performative !== TRANSFER) return undefined;
  // Tokens and locks are business of the connection; what else is sent is a doorbell, at once or for later.
  return { step: frame.includes("put-token") || frame.includes("renew-lock") ? "queue" : "ring" };
}

/** A WebSocket message to an agent, by its first byte: a record's kind (shared/src/protocol/records.ts). */
export const sessionRecord = (kind: number): Seen => ({ step: kind === 0x02 ? "request" : "frame" });
