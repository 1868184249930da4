/** The updater as a service of Windows': one run of it from the start to the end of the service, told to the event log. */
import type { Last } from "../../update/record.ts";
import type { HostNote } from "./events.ts";
import type { Status } from "./host.ts";
import { WAIT_HINT_MS } from "./host.ts";

export interface UpdateHostParts {
  report(status: Status): void;
  /** For the event log. It must not throw. */
  note(note: HostNote): void;
  /** One run; undefined where there was nothing to do. */
  run(signal: AbortSignal): Promise<Last | undefined>;
}

const EXIT = { ok: 0, failed: 1 } as const;

/**
 * @returns what the control manager's orders are answered with: `begin` resolves once the end was reported. Asked to stop it breaks
 * off where it waits, and goes on from its record the next time.
 */
export function createUpdateHost({ report, note, run }: UpdateHostParts): {
  begin(): Promise<void>;
  askToStop(): void;
} {
  const stop = new AbortController();
  const say = (state: Status["state"], exitCode = 0): void =>
    report({ state, checkPoint: 0, waitHintMs: state === "stopPending" ? WAIT_HINT_MS : 0, exitCode });
  return {
    async begin() {
      say("running");
      try {
        const last = await run(stop.signal);
        const noted = last && noteOf(last);
        if (noted !== undefined) note(noted);
        say("stopped", last === undefined || last.outcome === "applied" ? EXIT.ok : EXIT.failed);
      } catch (error) {
        if (!stop.signal.aborted)
          note({ id: "updaterFailed", why: error instanceof Error ? error.message : String(error) });
        say("stopped", EXIT.failed);
      }
    },
    askToStop() {
      if (stop.signal.aborted) return;
      say("stopPending");
      stop.abort();
    },
  };
}

/** Undefined for an end of before that a newer version has the word for, and has noted. */
function noteOf({ outcome, version, from, why }: Last): HostNote | undefined {
  const said = { version, from: from ?? "?", why: why ?? "?" };
  switch (outcome) {
    case "applied":
      return { id: "updated", version, from: said.from };
    case "rolledBack":
      return { id: "takenBack", ...said };
    case "refused":
      return { id: "refused", version, why: said.why };
    case null:
      return undefined;
    default:
      return outcome satisfies never;
  }
}
