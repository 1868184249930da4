/** What an installer puts on a machine, and which rights it gives there. wxs.ts and statements.ts turn it into tables. */

export interface InstalledFile {
  readonly name: string;
  /** Where it lies now. */
  readonly path: string;
}

export interface DataFolder {
  readonly id: string;
  /** Below `%ProgramData%`. */
  readonly path: readonly string[];
  /** A security descriptor (SDDL) that no folder above has a say in. */
  readonly sddl: string;
}

export interface Service {
  readonly name: string;
  readonly displayName: string;
  readonly description: string;
  readonly account: string;
  readonly arguments: string;
  /** One for each failure in a row; the last one counts for all that follow. */
  readonly restartDelaysMs: readonly number[];
  /** After as long without a failure, the next is the first again. */
  readonly failuresForgottenAfterSeconds: number;
  /** How long Windows waits for it when it shuts down. */
  readonly stopWithinMs: number;
  /** All that its token holds. */
  readonly privileges: readonly string[];
}

/** Another service of the same program, which runs only when somebody asks for it. */
export interface OnDemand extends Pick<Service, "name" | "displayName" | "description" | "account" | "arguments"> {}

export interface Installer {
  readonly name: string;
  readonly manufacturer: string;
  readonly version: string;
  readonly upgradeCode: string;
  /** Below `%ProgramFiles%`; in the system's PATH. */
  readonly programFolder: readonly string[];
  /** The first one is the service's program. */
  readonly files: readonly [InstalledFile, ...InstalledFile[]];
  readonly dataFolders: readonly DataFolder[];
  readonly service: Service;
  readonly onDemand: OnDemand;
  /** Of the log Application; the file, with variables, has the texts that its events are shown with. */
  readonly eventSource: { readonly name: string; readonly messageFile: string };
  /** Properties that an administrator may give by mistake, and that no log may show. None has a meaning to the package. */
  readonly hiddenProperties: readonly string[];
}
