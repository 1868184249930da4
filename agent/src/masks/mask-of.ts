/** Which mask a column has: its name compares as all names of the policy do. */
import type { Mask, Masks } from "@sallyport/shared/schema/mask.ts";
import { sameName } from "../names.ts";

export const maskOf = (masks: Masks | undefined, column: string): Mask | undefined =>
  Object.entries(masks ?? {}).find(([name]) => sameName(name, column))?.[1];
