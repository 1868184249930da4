/** Windows itself, as the service's verbs and the updater's ask it. */
import type { Change, Configuration, State, Wanted } from "./control-manager.ts";
import type { AccessLists } from "./rights.ts";

/** `system.ts` has it, a test its own. */
export interface Windows extends AccessLists {
  /** Answers settings that this system does not know. */
  ensureService(wanted: Wanted): readonly string[];
  readConfiguration(name: string): Configuration | undefined;
  readState(name: string): State | undefined;
  startService(name: string): void;
  stopService(name: string): void;
  deleteService(name: string): void;
  /** What is left out stays. */
  changeService(name: string, change: Change): void;
  /** Gives a service the list of who may do what with it, as SDDL. */
  setServiceAccess(name: string, sddl: string): void;
  registerSource(): void;
  unregisterSource(): void;
  /** In binary; undefined where there is no such account. */
  lookUpSid(name: string): Uint8Array | undefined;
  allowServiceLogon(sid: Uint8Array): void;
  /** Whether it administers this machine; undefined where Windows does not say. */
  isAdministrator(account: string): boolean | undefined;
}
