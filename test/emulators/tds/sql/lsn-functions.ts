/** The functions of Change Data Capture that ask about LSNs. */
import { sqlType } from "../values/type.ts";
import { type Bound, computed } from "./bound.ts";

const LSN = sqlType("binary", { length: 10 });
const NOTHING = `X'${"00".repeat(10)}'`;
const byOne = (value: Bound | undefined, step: string): Bound =>
  computed(`lsn_step(${value?.sql ?? "NULL"}, ${step})`, LSN);

/** The functions that ask about LSNs, and how each is translated. */
export const LSN_FUNCTIONS: Readonly<Record<string, (args: readonly Bound[]) => Bound>> = {
  "sys.fn_cdc_get_max_lsn": () => computed('(SELECT max(start_lsn) FROM "cdc.lsn_time_mapping")', LSN),
  "sys.fn_cdc_get_min_lsn": ([instance]) =>
    computed(
      `coalesce((SELECT start_lsn FROM "cdc.change_tables" WHERE capture_instance = ${instance?.sql ?? "NULL"} COLLATE NOCASE), ${NOTHING})`,
      LSN,
    ),
  "sys.fn_cdc_increment_lsn": ([value]) => byOne(value, "1"),
  "sys.fn_cdc_decrement_lsn": ([value]) => byOne(value, "-1"),
};
