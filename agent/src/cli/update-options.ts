/** What the verbs of `sallyport update` are given. */
import type { OutputOptions } from "./print.ts";

export interface UpdateOptions extends OutputOptions {
  readonly state: string;
}
export interface ApplyOptions extends UpdateOptions {
  readonly version?: string;
  readonly downgrade?: boolean;
}
export interface PinOptions extends UpdateOptions {
  readonly off?: boolean;
}
