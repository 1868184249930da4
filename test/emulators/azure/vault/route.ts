/** A call to a vault, after its token and its version were checked. */

export interface VaultCall {
  readonly method: string;
  /** What follows the collection in the path. */
  readonly parts: readonly string[];
  readonly body: unknown;
  /** The vault's own address, which identifiers begin with. */
  readonly base: string;
  /** @throws Refusal with 403 unless the caller has this data action. */
  allow(action: string): void;
}
