/**
 * What the event log is told: the service's life, nothing of what is asked of the agent (that is the journal's), and no secret. The
 * numbers stand in docs/install-windows.md, and do not change their meaning.
 */

export type HostNote =
  | { readonly id: "started"; readonly pid: number }
  | { readonly id: "stopped" }
  | { readonly id: "ended"; readonly code: number | null }
  | { readonly id: "notStarted"; readonly why: string }
  | { readonly id: "gaveUp"; readonly code: number }
  | { readonly id: "killed"; readonly afterSeconds: number }
  | { readonly id: "rights"; readonly faults: readonly string[] }
  | { readonly id: "updated"; readonly version: string; readonly from: string }
  | { readonly id: "takenBack"; readonly version: string; readonly from: string; readonly why: string }
  | { readonly id: "refused"; readonly version: string; readonly why: string }
  | { readonly id: "updaterFailed"; readonly why: string };

/** As ReportEventW counts them (winnt.h). */
const TYPES = { error: 1, warning: 2, information: 4 } as const;

export interface LogEvent {
  /** 1 to 1000: what Windows' own EventCreate.exe has a text for, which is nothing but ours. */
  readonly number: number;
  readonly type: number;
  readonly text: string;
}

/** Each with its number, its type and how it begins, for the page. */
export const EVENTS = {
  started: { number: 100, type: "information" },
  stopped: { number: 101, type: "information" },
  ended: { number: 200, type: "warning" },
  notStarted: { number: 201, type: "error" },
  gaveUp: { number: 202, type: "error" },
  killed: { number: 203, type: "warning" },
  rights: { number: 204, type: "error" },
  updated: { number: 300, type: "information" },
  takenBack: { number: 301, type: "warning" },
  refused: { number: 302, type: "warning" },
  updaterFailed: { number: 303, type: "error" },
} as const satisfies Record<HostNote["id"], { number: number; type: keyof typeof TYPES }>;

/** Longer than this the event log refuses a text (31,839 characters). */
const MOST_CHARACTERS = 4_000;

export function eventOf(note: HostNote): LogEvent {
  const { number, type } = EVENTS[note.id];
  return { number, type: TYPES[type], text: textOf(note).slice(0, MOST_CHARACTERS) };
}

function textOf(note: HostNote): string {
  switch (note.id) {
    case "started":
      return `The agent runs, process ${note.pid}.`;
    case "stopped":
      return "The service has stopped.";
    case "ended":
      return `The agent ended ${note.code === null ? "without an exit code" : `with ${note.code}`}; it is started again.`;
    case "notStarted":
      return `The agent could not be started: ${note.why}. It is tried again.`;
    case "gaveUp":
      return `The agent ended with ${note.code}, and would again: somebody has to mend it. Its last words are in the log, run \`sallyport doctor\`.`;
    case "killed":
      return `The agent did not stop within ${note.afterSeconds} seconds and was ended.`;
    case "rights":
      return `The agent is not started: rights are not what they should be; \`sallyport service install\` mends them, or says what it does not.\n${note.faults.join("\n")}`;
    case "updated":
      return `Version ${note.version} was installed in the place of ${note.from}, and has answered the orchestrator.`;
    case "takenBack":
      return `Version ${note.version} did not work and was taken back to ${note.from}: ${note.why}.`;
    case "refused":
      return `Version ${note.version} was not installed: ${note.why}. Nothing was changed.`;
    case "updaterFailed":
      return `The updater failed: ${note.why}. It goes on from its record when it is started again, also with the machine.`;
    default:
      return note satisfies never;
  }
}
