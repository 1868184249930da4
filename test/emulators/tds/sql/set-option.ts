/** SET: what a session remembers of it. */
import { sqlError } from "../values/errors.ts";
import { sqlType } from "../values/type.ts";
import type { Expression } from "./ast.ts";
import { requireTable } from "./bind-source.ts";
import { evaluateAs } from "./run.ts";
import { nameParts } from "./server-functions.ts";
import type { State } from "./state.ts";

export function setOption(state: State, option: string, value: Expression | string): void {
  const number = (): number =>
    typeof value === "string" ? Number.NaN : Number(evaluateAs(state, value, sqlType("int")));
  if (option.startsWith("IDENTITY_INSERT ")) {
    const table = requireTable(state, nameParts(option.slice("IDENTITY_INSERT ".length)));
    state.identityInsert = value === "ON" ? `${table.schema}.${table.name}`.toLowerCase() : null;
    return;
  }
  switch (option) {
    case "ISOLATION":
      state.isolation = String(value);
      return;
    case "LOCK_TIMEOUT":
      state.lockTimeoutMs = number();
      if (Number.isNaN(state.lockTimeoutMs)) throw sqlError(102, String(value));
      return;
    case "TEXTSIZE":
      state.textSize = number();
      return;
    case "CONTEXT_INFO":
      state.contextInfo =
        typeof value === "string"
          ? null
          : (evaluateAs(state, value, sqlType("varbinary", { length: 128 })) as Uint8Array | null);
      return;
    default:
      state.options.set(
        option,
        typeof value === "string" ? value : String(evaluateAs(state, value, sqlType("nvarchar", { length: 100 }))),
      );
  }
}
