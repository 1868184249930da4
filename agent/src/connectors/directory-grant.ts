/** What the owner's rule leaves of a request to a directory: what its connector is given to go by. */

interface EveryGrant {
  readonly rule: string;
  /** The bases of the rule: what lies outside them is neither shown nor touched, whatever the directory answers. */
  readonly bases: readonly string[];
  readonly classes: "*" | readonly string[];
}

/** What of the owner's denials a request came past by its names: another name may mean the same, in the schema or in the tree. */
export interface Denying {
  /** Attributes, by name or OID. Compare by the schema's OIDs whatever is asked for, or written, with each of them. */
  readonly denied: readonly string[];
  /** The owner's denials, for the places where the directory turns out to have what the request names. */
  readonly denials: readonly {
    readonly id: string;
    readonly bases: readonly string[];
    /** Undefined: everything there. */
    readonly attributes?: readonly string[] | undefined;
  }[];
}

export type DirectoryGrant =
  | (EveryGrant &
      Denying & {
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
  | (EveryGrant &
      Denying & {
        readonly kind: "directoryWrite";
        readonly attributes: readonly string[];
        readonly destinations: readonly string[];
        readonly neverWritten: readonly string[];
        readonly passwordSetsPerDay: number;
        readonly deletesPerRun: number;
      });
