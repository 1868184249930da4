/**
 * Where an installation lies on Windows: one folder a version below Program Files, which only administrators change, and below
 * ProgramData the owner's files apart from the agent's own (learn.microsoft.com, "KNOWNFOLDERID").
 */
import { win32 } from "node:path";

export const SERVICE = "Sallyport";
export const DISPLAY_NAME = "Sallyport agent";
export const DESCRIPTION = "Answers pulls that this machine's policy allows. It dials out and listens nowhere.";
/** What the event log calls us; the same word as the service's, as administrators look for that. */
export const EVENT_SOURCE = "Sallyport";
/** What the service's command line is beside the program. */
export const HOST_ARGUMENTS: readonly string[] = ["service", "host"];
/** The updater: it runs as Local System, on demand, and the agent may do nothing with it but start it. */
export const UPDATE_SERVICE = "SallyportUpdate";
export const UPDATE_DISPLAY_NAME = "Sallyport updater";
export const UPDATE_DESCRIPTION =
  "Verifies what the Sallyport agent has downloaded, installs it, and goes back where it does not work.";
export const UPDATE_HOST_ARGUMENTS: readonly string[] = ["service", "update-host"];
/** Its owner's word, there and to the agent, that an account or a program may be what is otherwise refused. */
export const INSECURE_FILES = "--insecure-files";

export interface WindowsLayout {
  /** Above both: in ProgramData itself anybody may make folders. */
  readonly data: string;
  /** agent.yaml and policy.yaml: administrators', readable by the service. */
  readonly configuration: string;
  /** Keys, journal and all else that the agent writes. */
  readonly state: string;
  /** The agent's log, as the host writes it down. */
  readonly logs: string;
}

/** @param programData `%ProgramData%` */
export function windowsLayout(programData: string): WindowsLayout {
  const data = win32.join(programData, "Sallyport");
  const state = win32.join(data, "state");
  return { data, configuration: win32.join(data, "config"), state, logs: win32.join(state, "logs") };
}
