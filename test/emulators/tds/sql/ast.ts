/** What the parser makes of a batch. */
import type { SqlType, SqlValue } from "../values/type.ts";
import type { Token } from "./lexer.ts";
import type { Permission, Securable } from "./rights.ts";

export type Expression =
  | { readonly is: "literal"; readonly value: SqlValue; readonly type: SqlType | null }
  | { readonly is: "variable"; readonly name: string; readonly token: Token }
  | { readonly is: "column"; readonly parts: readonly string[]; readonly token: Token }
  | {
      readonly is: "call";
      readonly name: string;
      readonly args: readonly Expression[];
      readonly star: boolean;
      readonly distinct: boolean;
      readonly over: { readonly partition: readonly Expression[]; readonly order: readonly Order[] } | null;
      readonly token: Token;
    }
  | {
      readonly is: "cast";
      readonly of: Expression;
      readonly to: SqlType;
      readonly style: Expression | null;
      readonly safe: boolean;
    }
  | {
      readonly is: "case";
      readonly operand: Expression | null;
      readonly whens: readonly { readonly when: Expression; readonly result: Expression }[];
      readonly otherwise: Expression | null;
    }
  | { readonly is: "arithmetic"; readonly operator: string; readonly left: Expression; readonly right: Expression }
  | { readonly is: "negate"; readonly operator: string; readonly of: Expression }
  | { readonly is: "compare"; readonly operator: string; readonly left: Expression; readonly right: Expression }
  | { readonly is: "logic"; readonly operator: "AND" | "OR"; readonly left: Expression; readonly right: Expression }
  | { readonly is: "not"; readonly of: Expression }
  | { readonly is: "null"; readonly of: Expression; readonly not: boolean }
  | { readonly is: "in"; readonly of: Expression; readonly not: boolean; readonly list: readonly Expression[] | Query }
  | {
      readonly is: "between";
      readonly of: Expression;
      readonly not: boolean;
      readonly low: Expression;
      readonly high: Expression;
    }
  | {
      readonly is: "like";
      readonly of: Expression;
      readonly not: boolean;
      readonly pattern: Expression;
      readonly escape: Expression | null;
    }
  | { readonly is: "exists"; readonly query: Query }
  | { readonly is: "subquery"; readonly query: Query }
  | { readonly is: "collate"; readonly of: Expression; readonly collation: string };

export interface Order {
  readonly by: Expression;
  readonly descending: boolean;
}

export type Source =
  | { readonly is: "table"; readonly name: readonly string[]; readonly alias: string | null; readonly token: Token }
  | {
      readonly is: "derived";
      readonly query: Query;
      readonly alias: string;
      readonly columns: readonly string[] | null;
    }
  | {
      readonly is: "values";
      readonly rows: readonly (readonly Expression[])[];
      readonly alias: string;
      readonly columns: readonly string[];
    }
  | {
      /** CHANGETABLE(CHANGES t, since). */
      readonly is: "changes";
      readonly name: readonly string[];
      readonly since: Expression;
      readonly alias: string;
    }
  | {
      readonly is: "join";
      readonly kind: "INNER" | "LEFT" | "RIGHT" | "FULL" | "CROSS";
      readonly left: Source;
      readonly right: Source;
      readonly on: Expression | null;
    };

export type SelectItem =
  | { readonly is: "star"; readonly of: string | null }
  | { readonly is: "value"; readonly value: Expression; readonly alias: string | null }
  | { readonly is: "assign"; readonly variable: string; readonly value: Expression };

export interface Select {
  readonly is: "select";
  readonly distinct: boolean;
  readonly top: Expression | null;
  readonly items: readonly SelectItem[];
  readonly into: readonly string[] | null;
  readonly from: Source | null;
  readonly where: Expression | null;
  readonly group: readonly Expression[];
  readonly having: Expression | null;
}

export interface Query {
  readonly with: readonly {
    readonly name: string;
    readonly columns: readonly string[] | null;
    readonly query: Query;
  }[];
  readonly first: Select;
  readonly rest: readonly {
    readonly operator: "UNION" | "UNION ALL" | "EXCEPT" | "INTERSECT";
    readonly select: Select;
  }[];
  readonly order: readonly Order[];
  readonly offset: Expression | null;
  readonly fetch: Expression | null;
}

export interface ColumnDefinition {
  readonly name: string;
  readonly type: SqlType;
  readonly nullable: boolean | null;
  readonly identity: { readonly seed: bigint; readonly step: bigint } | null;
  readonly byDefault: Expression | null;
}

export interface KeyDefinition {
  readonly name: string | null;
  readonly primary: boolean;
  readonly columns: readonly { readonly name: string; readonly descending: boolean }[];
}

/** FOREIGN KEY (columns) REFERENCES table (references). */
export interface ForeignKeyDefinition {
  readonly columns: readonly string[];
  readonly table: readonly string[];
  readonly references: readonly string[];
}

export interface Assignment {
  readonly column: readonly string[];
  readonly value: Expression;
}

export type StatementBody =
  | { readonly is: "query"; readonly query: Query }
  | {
      readonly is: "insert";
      readonly table: readonly string[];
      readonly columns: readonly string[] | null;
      readonly rows: readonly (readonly (Expression | "default")[])[] | Query | Call | null;
      readonly output: readonly SelectItem[];
    }
  | {
      readonly is: "update";
      readonly target: readonly string[];
      readonly top: Expression | null;
      readonly set: readonly Assignment[];
      readonly from: Source | null;
      readonly where: Expression | null;
      readonly output: readonly SelectItem[];
    }
  | {
      readonly is: "delete";
      readonly target: readonly string[];
      readonly top: Expression | null;
      readonly from: Source | null;
      readonly where: Expression | null;
      readonly output: readonly SelectItem[];
    }
  | { readonly is: "truncate"; readonly table: readonly string[] }
  | {
      readonly is: "createTable";
      readonly table: readonly string[];
      readonly columns: readonly ColumnDefinition[];
      readonly keys: readonly KeyDefinition[];
      readonly foreignKeys?: readonly ForeignKeyDefinition[];
      /** What it stands for is somewhere else, as a real server has it; here its rows are its own. */
      readonly external?: true;
    }
  | { readonly is: "addKey"; readonly table: readonly string[]; readonly key: KeyDefinition }
  | {
      readonly is: "drop";
      readonly kind: "TABLE" | "VIEW" | "SCHEMA" | "INDEX";
      readonly names: readonly (readonly string[])[];
      readonly ifExists: boolean;
      readonly on: readonly string[] | null;
    }
  | { readonly is: "trackTable"; readonly table: readonly string[]; readonly on: boolean }
  | {
      readonly is: "trackDatabase";
      readonly database: string | null;
      readonly on: boolean;
      readonly retention: number;
      /** 1 minutes, 2 hours, 3 days. */
      readonly units: number;
    }
  | { readonly is: "allowSnapshot"; readonly database: string | null; readonly on: boolean }
  | { readonly is: "createSchema"; readonly name: string }
  | {
      readonly is: "principal";
      readonly change: "createLogin" | "dropLogin" | "createUser" | "dropUser";
      readonly name: string;
      readonly password: string;
      readonly login: string;
    }
  | {
      readonly is: "grant";
      readonly granted: boolean;
      readonly permissions: readonly Permission[];
      readonly on: Securable;
      readonly to: string;
    }
  | { readonly is: "member"; readonly role: string; readonly add: boolean; readonly member: string }
  | {
      readonly is: "createView";
      readonly view: readonly string[];
      readonly columns: readonly string[] | null;
      readonly query: Query;
      readonly text: string;
    }
  | {
      readonly is: "createIndex";
      readonly name: string;
      readonly table: readonly string[];
      readonly unique: boolean;
      readonly columns: readonly { readonly name: string; readonly descending: boolean }[];
    }
  | {
      readonly is: "insertBulk";
      readonly table: readonly string[];
      readonly columns: readonly { readonly name: string; readonly type: SqlType }[];
      readonly keepNulls: boolean;
    }
  | { readonly is: "transaction"; readonly act: "BEGIN" | "COMMIT" | "ROLLBACK" | "SAVE"; readonly name: string | null }
  | {
      readonly is: "declare";
      readonly variables: readonly {
        readonly name: string;
        readonly type: SqlType;
        readonly value: Expression | null;
      }[];
    }
  | { readonly is: "setVariable"; readonly name: string; readonly value: Expression }
  | { readonly is: "setOption"; readonly option: string; readonly value: Expression | string }
  | { readonly is: "use"; readonly database: string }
  | {
      readonly is: "if";
      readonly condition: Expression;
      readonly body: Statement;
      readonly otherwise: Statement | null;
    }
  | { readonly is: "while"; readonly condition: Expression; readonly body: Statement }
  | { readonly is: "block"; readonly body: readonly Statement[] }
  | { readonly is: "waitfor"; readonly delay: Expression }
  | { readonly is: "print"; readonly value: Expression }
  | {
      readonly is: "throw";
      readonly number: Expression | null;
      readonly message: Expression;
      readonly state: Expression;
      readonly severity: Expression | null;
    }
  | Call;

export interface Call {
  readonly is: "execute";
  /** The variable that takes the return value. */
  readonly into?: string;
  readonly procedure: readonly string[];
  readonly args: readonly { readonly name: string | null; readonly value: Expression; readonly output: boolean }[];
}

export type Statement = StatementBody & { readonly line: number; readonly text: string };
