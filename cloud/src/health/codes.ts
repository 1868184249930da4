/** What health can find wrong: a closed table, as data for the answer and for docs/telemetry.md. */

export interface HealthRow {
  /** `failing`: no pull can run. `degraded`: some do not, or not in time. */
  readonly means: "failing" | "degraded";
  readonly advice: string;
}

export const HEALTH = {
  "storage.tables": {
    means: "failing",
    advice: "Look at the storage account of SALLYPORT_TABLES, its network rules, and the identity's role on it.",
  },
  "storage.blobs": {
    means: "failing",
    advice: "Look at the storage account of SALLYPORT_BLOBS, its container, and the identity's role on it.",
  },
  "queue.unreachable": {
    means: "failing",
    advice:
      "Look at the Service Bus namespace and the identity's roles on it: without queue slices runs wait for the scheduler.",
  },
  "relay.unreachable": {
    means: "failing",
    advice: "Look at the relay namespace of SALLYPORT_RELAY and its network rules: no agent can be dialled.",
  },
  "relay.no_token": {
    means: "failing",
    advice: "The identity gets no token for the relay: look at the identity, and at its role Azure Relay Sender.",
  },
  "signing_key.unusable": {
    means: "failing",
    advice:
      "The signing key signs nothing that agents take: look at SALLYPORT_SIGNING_KEY, the vault and the role on it.",
  },
  "schedule.late": {
    means: "degraded",
    advice:
      "Pulls are due and nobody looks: look whether the timer `schedule` runs, and call POST /api/v1/schedule/tick.",
  },
  "canaries.late": {
    means: "degraded",
    advice: "Agents are due for a canary and none is sent: look whether the timer `canary` runs.",
  },
  "agents.unproven": {
    means: "degraded",
    advice: "Agents neither answered a canary nor served a session for long: `sallyportctl agents list` names them.",
  },
} as const satisfies Readonly<Record<string, HealthRow>>;

export type HealthCode = keyof typeof HEALTH;
