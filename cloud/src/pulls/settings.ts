/** Times and sizes of pulls, with their defaults in one place. */

export interface PullSettings {
  /** How long a claim lives without being renewed. */
  readonly leaseSeconds: number;
  /** A wake entry stands at least this long before the change it serves must have landed. */
  readonly wakeLeadSeconds: number;
  /** How often a holder looks for a cancel while its session runs. */
  readonly cancelSeconds: number;
  /** A claim hands its run over at the first checkpoint after this. */
  readonly claimSeconds: number;
  /** A session that cannot hand over may take this long: less than the function's timeout. */
  readonly sessionSeconds: number;
  /** A drained function lets its session reach a checkpoint for this long: half of what ending.ts waits for it to give its run back. */
  readonly drainSeconds: number;
  /** A slice is committed at the first checkpoint after either. */
  readonly sliceSeconds: number;
  readonly sliceBytes: number;
  /** Claims without a committed slice after which a run fails. */
  readonly claims: number;
  /** The pause after the first failed claim; it doubles, up to the next one. */
  readonly backoffSeconds: number;
  readonly maxBackoffSeconds: number;
  /** The pause for an agent that is offline or busy. */
  readonly waitSeconds: number;
  /** A due time older than this was missed: the schedule's misfire rule applies. */
  readonly misfireSeconds: number;
  /** Credit that an agent has at most; a block in the sink is a quarter of it. */
  readonly windowBytes: number;
  /** How long links to parts are valid. */
  readonly linkSeconds: number;
  /** After a run's end, or its expiry, before what is left of it is deleted: longer than any writer of it can be late. */
  readonly restSeconds: number;
  /** Pulls that the slow re-index looks at in one tick. */
  readonly reindexPulls: number;
  /** Sessions that one agent serves at once, while it has not announced how many. */
  readonly agentSessions: number;
  /** What a site cannot take at once is rung in rounds this far apart. */
  readonly roundSeconds: number;
  /** Pulls that one tick looks at. */
  readonly tickPulls: number;
  /** Wake entries of one partition that one tick reads, to choose fairly among tenants. */
  readonly tickEntries: number;
}

export const DEFAULT_PULL_SETTINGS: PullSettings = {
  leaseSeconds: 60,
  wakeLeadSeconds: 60,
  cancelSeconds: 0.5,
  claimSeconds: 300,
  sessionSeconds: 780,
  drainSeconds: 1.5,
  sliceSeconds: 60,
  sliceBytes: 256 * 2 ** 20,
  claims: 5,
  backoffSeconds: 10,
  maxBackoffSeconds: 900,
  waitSeconds: 30,
  misfireSeconds: 300,
  windowBytes: 4 * 2 ** 20,
  linkSeconds: 600,
  restSeconds: 86_400,
  reindexPulls: 20,
  agentSessions: 4,
  roundSeconds: 10,
  tickPulls: 500,
  tickEntries: 1000,
};
