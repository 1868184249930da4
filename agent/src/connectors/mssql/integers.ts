/** SQL Server's integers: what they hold, and the driver's types that carry them exactly. */
import { TYPES } from "tedious";
import type { TediousType } from "./statement.ts";

interface Integer {
  readonly type: TediousType;
  readonly min: bigint;
  readonly max: bigint;
}

export const INTEGERS: Readonly<Record<string, Integer>> = {
  tinyint: { type: TYPES.TinyInt, min: 0n, max: 255n },
  smallint: { type: TYPES.SmallInt, min: -32_768n, max: 32_767n },
  int: { type: TYPES.Int, min: -2_147_483_648n, max: 2_147_483_647n },
  bigint: { type: TYPES.BigInt, min: -(2n ** 63n), max: 2n ** 63n - 1n },
};
