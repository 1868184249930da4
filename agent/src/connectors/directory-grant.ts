/** What the owner's rule leaves of a request to a directory: what its connector is given to go by. */

interface EveryGrant {
  readonly rule: string;
  /** The bases of the rule: what lies outside them is neither shown nor touched, whatever the directory answers. */
  readonly bases: readonly string[];
  readonly classes: "*" | readonly string[];
}

export type DirectoryGrant =
  | (EveryGrant & {
      readonly kind: "directoryRead";
      readonly attributes: "*" | readonly string[];
      /** OIDs that are never read, and arcs of such, compared with the directory's own schema: also behind a `*`. */
      readonly neverRead: { readonly oids: readonly string[]; readonly arcs: readonly string[] };
    })
  | (EveryGrant & {
      readonly kind: "directorySchema";
      /** What each rule with `schema` shows. */
      readonly shown: readonly {
        readonly classes: "*" | readonly string[];
        readonly attributes: "*" | readonly string[];
      }[];
    })
  | (EveryGrant & {
      readonly kind: "directoryWrite";
      readonly attributes: readonly string[];
      readonly destinations: readonly string[];
      readonly neverWritten: readonly string[];
      readonly passwordSetsPerDay: number;
      readonly deletesPerRun: number;
    });
