/**
 * SQL Server's errors, by number. `ends` says how far an error reaches: the statement, the batch, the batch with its
 * transaction, or the connection.
 */
export interface SqlErrorRow {
  readonly class: number;
  readonly state: number;
  readonly ends: "statement" | "batch" | "transaction" | "connection";
  readonly text: string;
}

export const SQL_ERRORS = {
  102: { class: 15, state: 1, ends: "batch", text: "Incorrect syntax near '%'." },
  137: { class: 15, state: 2, ends: "batch", text: 'Must declare the scalar variable "%".' },
  134: { class: 15, state: 2, ends: "batch", text: "The variable name '%' has already been declared." },
  156: { class: 15, state: 1, ends: "batch", text: "Incorrect syntax near the keyword '%'." },
  105: { class: 15, state: 1, ends: "batch", text: "Unclosed quotation mark after the character string '%'." },
  195: { class: 15, state: 10, ends: "batch", text: "'%' is not a recognized built-in function name." },
  174: { class: 15, state: 1, ends: "batch", text: "The % function requires a different number of arguments." },
  206: { class: 16, state: 2, ends: "batch", text: "Operand type clash: % is incompatible with %" },
  207: { class: 16, state: 1, ends: "batch", text: "Invalid column name '%'." },
  17892: { class: 14, state: 1, ends: "connection", text: "Logon failed for login '%' due to trigger execution." },
  40501: {
    class: 20,
    state: 1,
    ends: "connection",
    text: "The service is currently busy. Retry the request after 10 seconds.",
  },
  40515: {
    class: 15,
    state: 1,
    ends: "batch",
    text: "Reference to database and/or server name in '%' is not supported in this version of SQL Server.",
  },
  208: { class: 16, state: 1, ends: "batch", text: "Invalid object name '%'." },
  209: { class: 16, state: 1, ends: "batch", text: "Ambiguous column name '%'." },
  4104: { class: 16, state: 1, ends: "batch", text: 'The multi-part identifier "%" could not be bound.' },
  213: {
    class: 16,
    state: 1,
    ends: "batch",
    text: "Column name or number of supplied values does not match table definition.",
  },
  229: {
    class: 14,
    state: 5,
    ends: "statement",
    text: "The % permission was denied on the object '%', database '%', schema '%'.",
  },
  241: {
    class: 16,
    state: 1,
    ends: "batch",
    text: "Conversion failed when converting date and/or time from character string.",
  },
  242: {
    class: 16,
    state: 3,
    ends: "statement",
    text: "The conversion of a % data type to a % data type resulted in an out-of-range value.",
  },
  245: {
    class: 16,
    state: 1,
    ends: "batch",
    text: "Conversion failed when converting the % value '%' to data type %.",
  },
  257: { class: 16, state: 3, ends: "batch", text: "Implicit conversion from data type % to % is not allowed." },
  262: { class: 14, state: 1, ends: "statement", text: "% permission denied in database '%'." },
  271: {
    class: 16,
    state: 1,
    ends: "batch",
    text: 'The column "%" cannot be modified because it is either a computed column or is the result of a UNION operator.',
  },
  273: {
    class: 16,
    state: 1,
    ends: "batch",
    text: "Cannot insert an explicit value into a timestamp column. Use INSERT with a column list to exclude the timestamp column, or insert a DEFAULT into the timestamp column.",
  },
  272: { class: 16, state: 1, ends: "batch", text: "Cannot update a timestamp column." },
  515: {
    class: 16,
    state: 2,
    ends: "statement",
    text: "Cannot insert the value NULL into column '%', table '%'; column does not allow nulls. INSERT or UPDATE fails.",
  },
  529: { class: 16, state: 2, ends: "batch", text: "Explicit conversion from data type % to % is not allowed." },
  544: {
    class: 16,
    state: 1,
    ends: "statement",
    text: "Cannot insert explicit value for identity column in table '%' when IDENTITY_INSERT is set to OFF.",
  },
  201: {
    class: 16,
    state: 4,
    ends: "statement",
    text: "Procedure or function '%' expects parameter '%', which was not supplied.",
  },
  547: {
    class: 16,
    state: 0,
    ends: "statement",
    text: "The statement conflicted with a FOREIGN KEY constraint.",
  },
  911: {
    class: 16,
    state: 1,
    ends: "statement",
    text: "Database '%' does not exist. Make sure that the name is entered correctly.",
  },
  1205: {
    class: 13,
    state: 51,
    ends: "transaction",
    text: "Transaction (Process ID %) was deadlocked on lock resources with another process and has been chosen as the deadlock victim. Rerun the transaction.",
  },
  1222: { class: 16, state: 51, ends: "statement", text: "Lock request time out period exceeded." },
  1801: {
    class: 16,
    state: 3,
    ends: "statement",
    text: "Database '%' already exists. Choose a different database name.",
  },
  2601: {
    class: 14,
    state: 1,
    ends: "statement",
    text: "Cannot insert duplicate key row in object '%' with unique index '%'.",
  },
  2627: {
    class: 14,
    state: 1,
    ends: "statement",
    text: "Violation of % constraint '%'. Cannot insert duplicate key in object '%'.",
  },
  2628: {
    class: 16,
    state: 1,
    ends: "statement",
    text: "String or binary data would be truncated in table '%', column '%'. Truncated value: '%'.",
  },
  2705: {
    class: 16,
    state: 3,
    ends: "batch",
    text: "Column names in each table must be unique. Column name '%' in table '%' is specified more than once.",
  },
  2714: {
    class: 16,
    state: 6,
    ends: "batch",
    text: "There is already an object named '%' in the database.",
  },
  2715: { class: 16, state: 6, ends: "batch", text: "Cannot find data type %." },
  2812: { class: 16, state: 62, ends: "statement", text: "Could not find stored procedure '%'." },
  2760: {
    class: 16,
    state: 1,
    ends: "batch",
    text: 'The specified schema name "%" either does not exist or you do not have permission to use it.',
  },
  3701: {
    class: 11,
    state: 5,
    ends: "statement",
    text: "Cannot drop the table '%', because it does not exist or you do not have permission.",
  },
  3729: {
    class: 16,
    state: 1,
    ends: "statement",
    text: "Cannot drop schema '%' because it is being referenced by object '%'.",
  },
  15007: {
    class: 16,
    state: 1,
    ends: "statement",
    text: "'%' is not a valid login or you do not have permission.",
  },
  15023: {
    class: 16,
    state: 1,
    ends: "statement",
    text: "User, group, or role '%' already exists in the current database.",
  },
  15025: { class: 16, state: 1, ends: "statement", text: "The server principal '%' already exists." },
  15151: {
    class: 16,
    state: 1,
    ends: "statement",
    text: "Cannot % the % '%', because it does not exist or you do not have permission.",
  },
  15247: { class: 16, state: 1, ends: "statement", text: "User does not have permission to perform this action." },
  15434: {
    class: 16,
    state: 1,
    ends: "statement",
    text: "Could not drop login '%' as the user is currently logged in.",
  },
  3902: {
    class: 16,
    state: 1,
    ends: "statement",
    text: "The COMMIT TRANSACTION request has no corresponding BEGIN TRANSACTION.",
  },
  3903: {
    class: 16,
    state: 1,
    ends: "statement",
    text: "The ROLLBACK TRANSACTION request has no corresponding BEGIN TRANSACTION.",
  },
  3930: {
    class: 16,
    state: 1,
    ends: "batch",
    text: "The current transaction cannot be committed and cannot support operations that write to the log file. Roll back the transaction.",
  },
  1088: {
    class: 16,
    state: 13,
    ends: "statement",
    text: "Cannot find the object '%' because it does not exist or you do not have permissions.",
  },
  4996: { class: 16, state: 1, ends: "statement", text: "Change tracking is already enabled for table '%'." },
  4997: {
    class: 16,
    state: 1,
    ends: "statement",
    text: "Cannot enable change tracking on table '%'. Change tracking requires that it is enabled for the database.",
  },
  4998: {
    class: 16,
    state: 1,
    ends: "statement",
    text: "Cannot enable change tracking on table '%'. Change tracking requires a primary key on the table.",
  },
  5011: {
    class: 14,
    state: 5,
    ends: "statement",
    text: "User does not have permission to alter database '%', the database does not exist, or it is not in a state that allows access checks.",
  },
  5088: {
    class: 16,
    state: 1,
    ends: "statement",
    text: "Change tracking is already in that state for the database.",
  },
  22901: {
    class: 16,
    state: 1,
    ends: "statement",
    text: "The database '%' is not enabled for Change Data Capture.",
  },
  22904: {
    class: 16,
    state: 1,
    ends: "statement",
    text: "Caller is not authorized to initiate the requested action.",
  },
  22105: { class: 16, state: 1, ends: "statement", text: "Change tracking is not enabled on table '%'." },
  22115: {
    class: 16,
    state: 1,
    ends: "statement",
    text: "Change tracking is enabled for one or more tables in the database. Disable it for each table before it is disabled for the database.",
  },
  3952: {
    class: 16,
    state: 1,
    ends: "transaction",
    text: "Snapshot isolation transaction failed accessing database '%' because snapshot isolation is not allowed in this database. Use ALTER DATABASE to allow snapshot isolation.",
  },
  3960: {
    class: 16,
    state: 2,
    ends: "transaction",
    text: "Snapshot isolation transaction aborted due to update conflict. Retry the transaction or change the isolation level for the update/delete statement.",
  },
  4060: {
    class: 11,
    state: 1,
    ends: "connection",
    text: 'Cannot open database "%" requested by the login. The login failed.',
  },
  4815: {
    class: 16,
    state: 1,
    ends: "statement",
    text: "Received an invalid column length from the bcp client for colid %.",
  },
  8101: {
    class: 16,
    state: 1,
    ends: "batch",
    text: "An explicit value for the identity column in table '%' can only be specified when a column list is used and IDENTITY_INSERT is ON.",
  },
  8114: { class: 16, state: 5, ends: "batch", text: "Error converting data type % to %." },
  8115: {
    class: 16,
    state: 2,
    ends: "statement",
    text: "Arithmetic overflow error converting % to data type %.",
  },
  8120: {
    class: 16,
    state: 1,
    ends: "batch",
    text: "Column '%' is invalid in the select list because it is not contained in either an aggregate function or the GROUP BY clause.",
  },
  8134: { class: 16, state: 1, ends: "statement", text: "Divide by zero error encountered." },
  8144: { class: 16, state: 2, ends: "batch", text: "Procedure or function % has too many arguments specified." },
  8169: {
    class: 16,
    state: 2,
    ends: "batch",
    text: "Conversion failed when converting from a character string to uniqueidentifier.",
  },
  8178: {
    class: 16,
    state: 1,
    ends: "batch",
    text: "The parameterized query '%' expects the parameter '%', which was not supplied.",
  },
  8179: { class: 16, state: 4, ends: "batch", text: "Could not find prepared statement with handle %." },
  18452: {
    class: 14,
    state: 1,
    ends: "connection",
    text: "Login failed. The login is from an untrusted domain and cannot be used with Integrated authentication.",
  },
  18486: {
    class: 14,
    state: 1,
    ends: "connection",
    text: "Login failed for user '%' because the account is currently locked out. The system administrator can unlock it.",
  },
  18456: { class: 14, state: 1, ends: "connection", text: "Login failed for user '%'." },
  20001: { class: 16, state: 1, ends: "batch", text: "%" },
} as const satisfies Record<number, SqlErrorRow>;

export type SqlErrorNumber = keyof typeof SQL_ERRORS;

export class SqlError extends Error {
  readonly number: number;
  readonly class: number;
  readonly state: number;
  readonly ends: SqlErrorRow["ends"];
  /** Line in the batch, from 1; the parser sets it. */
  line = 1;

  constructor(number: number, text: string, details: Pick<SqlErrorRow, "class" | "state" | "ends">) {
    super(text);
    this.number = number;
    this.class = details.class;
    this.state = details.state;
    this.ends = details.ends;
  }
}

/** The error of that number; each `%` of its text takes the next of `values`. */
export function sqlError(number: SqlErrorNumber, ...values: (string | number)[]): SqlError {
  const details: SqlErrorRow = SQL_ERRORS[number];
  let next = 0;
  return new SqlError(
    number,
    details.text.replaceAll("%", () => String(values[next++] ?? "")),
    details,
  );
}
