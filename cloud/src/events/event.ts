/** Events made of what happened. Pure: what is told twice is the same both times. */
import { type CloudEvent, cloudEvent, type EventType } from "@sallyport/shared/schema/events.ts";
import type { RunEvent } from "../pulls/tell.ts";
import type { AgentState } from "../store/watched.ts";

interface Facts {
  readonly tenant: string;
  readonly type: EventType;
  readonly subject: string;
  /** Within its tenant. */
  readonly id: string;
  readonly time: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** @param origin of the orchestrator, as in enrolments */
function eventOf(origin: string, { tenant, type, subject, id, time, data }: Facts): CloudEvent {
  return cloudEvent.parse({
    specversion: "1.0",
    id,
    source: `${origin}/api/v1/tenants/${tenant}`,
    type,
    subject,
    time,
    datacontenttype: "application/json",
    data: { tenant, ...data },
  });
}

const RUN_TYPES: Readonly<Record<string, EventType>> = {
  published: "sallyport.run.published",
  decided: "sallyport.run.published",
  failed: "sallyport.run.failed",
  cancelled: "sallyport.run.cancelled",
  superseded: "sallyport.run.superseded",
};

/** What became of a run. `data.manifest` names the blob; null where nothing was new, or the run failed. */
export function runEvent(origin: string, event: RunEvent): CloudEvent {
  const { tenant, pull, id, run, state, seq, manifest, rows, bytes, code, at } = event;
  const type = RUN_TYPES[state];
  if (type === undefined || at === null) throw new RangeError(`nothing is told of a run that is ${state}`);
  const data = { pull, run, seq, manifest, rows, bytes, code };
  return eventOf(origin, { tenant, type, subject: `pulls/${pull}`, id, time: at, data });
}

/** A pull whose results have grown too old, or are new again. */
export interface FreshnessEvent {
  readonly tenant: string;
  readonly pull: string;
  readonly state: "stale" | "fresh";
  /** When that was noticed. */
  readonly at: string;
  /** The start of the run that was published last; null where none was. */
  readonly freshAt: string | null;
  readonly maxAgeSeconds: number;
}

export function freshnessEvent(origin: string, event: FreshnessEvent): CloudEvent {
  const { tenant, pull, state, at, freshAt, maxAgeSeconds } = event;
  const type = state === "stale" ? "sallyport.pull.stale" : "sallyport.pull.fresh";
  const data = { pull, freshAt, maxAgeSeconds };
  return eventOf(origin, { tenant, type, subject: `pulls/${pull}`, id: `${pull}/${state}/${at}`, time: at, data });
}

export interface AgentEvent {
  readonly tenant: string;
  readonly site: string;
  readonly agent: string;
  readonly state: AgentState | "journal-altered";
  readonly at: string;
  /** When a session or a canary last succeeded. */
  readonly reachedAt: string | null;
}

export function agentEvent(origin: string, { tenant, site, agent, state, at, reachedAt }: AgentEvent): CloudEvent {
  const data = { site, agent, reachedAt };
  const type: EventType = `sallyport.agent.${state}`;
  return eventOf(origin, { tenant, type, subject: `agents/${agent}`, id: `${agent}/${state}/${at}`, time: at, data });
}

/** What somebody sends to see whether a webhook works. `id` is drawn. */
export function testEvent(origin: string, tenant: string, webhook: string, id: string, at: string): CloudEvent {
  const type = "sallyport.webhook.test";
  return eventOf(origin, { tenant, type, subject: `webhooks/${webhook}`, id, time: at, data: { webhook } });
}
