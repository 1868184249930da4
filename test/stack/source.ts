/** Where a stack's rows come from: the emulator, or somebody's SQL Server. */
import type { SampleServer } from "./sample.ts";

export interface Source {
  /** As whoever fills the sample signs in. */
  readonly server: SampleServer;
  /** The schema of the sample's two tables. */
  readonly schema: string;
  /** As the agent signs in. */
  readonly reader: { readonly user: string; readonly password: string };
  /** False where the agent signs in as whoever fills the sample, because no other login may be made: it may be the owner. */
  readonly ownReader?: boolean;
  /** Of the policy; in YAML's flow style, as JSON. */
  readonly tls: { readonly mode: "required" | "strict" | "trustAnyCertificate"; readonly ca?: string };
}
