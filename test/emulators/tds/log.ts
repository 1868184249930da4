/** What the server was asked, in order: enough for a test to say what a client did. */
export type LogEvent =
  | {
      readonly kind: "login";
      readonly login: string;
      readonly database: string;
      readonly application: string;
      readonly host: string;
      readonly encrypted: boolean;
      /** "ok", or the number and the true state of the error (the client sees state 1 only). */
      readonly result: "ok" | { readonly error: number; readonly state: number };
    }
  | { readonly kind: "batch"; readonly text: string }
  | {
      readonly kind: "rpc";
      readonly procedure: string;
      readonly text: string;
      readonly parameters: Readonly<Record<string, { readonly type: string; readonly value: unknown }>>;
    }
  | { readonly kind: "bulk"; readonly table: string; readonly rows: number }
  | { readonly kind: "transaction"; readonly act: "begin" | "commit" | "rollback"; readonly isolation: string }
  | { readonly kind: "attention"; readonly running: boolean }
  | { readonly kind: "error"; readonly number: number; readonly message: string }
  | { readonly kind: "end" };

/** `at` is in ms since 1970, `session` the spid (0 before the login). */
export type LogEntry = LogEvent & { readonly at: number; readonly session: number };
