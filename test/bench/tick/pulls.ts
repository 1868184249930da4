/** The pulls of the fleet: ten tenants', by number, all like one model. */
import { randomBytes } from "node:crypto";
import type { PullKey } from "@sallyport/cloud/src/store/runs.ts";

export const TENANTS = 10;
export const MODEL: PullKey = { tenant: "model", pull: "model" };

export const tenantName = (index: number): string => `tenant-${index}`;

/** Numbers begin at 1. */
export const pullOf = (number: number): PullKey => ({ tenant: tenantName(number % TENANTS), pull: `pull-${number}` });

/** Row of the wake index. */
export const wakeRow = (due: string, { tenant, pull }: PullKey): string =>
  `${due}|${tenant}|${pull}|${randomBytes(8).toString("hex")}`;
