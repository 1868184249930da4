/** Where credentials and keys are kept: a local encrypted file, or Key Vault, behind one interface. */

export interface Secret {
  readonly value: string;
  /** Names this content of the secret for ever; a later `put` gets another. */
  readonly version: string;
}

export interface SecretStore {
  /** The newest version, or exactly `version`. Undefined when there is none. Throws `secrets.unavailable`. */
  get(name: string, version?: string): Promise<Secret | undefined>;
  /** Stores a new version and answers it. Older ones stay readable by their version. */
  put(name: string, value: string): Promise<string>;
  /** Deletes it with all its versions; one that is not there is no error. Throws `secrets.unavailable`. */
  remove(name: string): Promise<void>;
}

/** Key Vault's rule for names, so that every store takes the same. */
export const SECRET_NAME: RegExp = /^[0-9a-zA-Z-]{1,127}$/;
