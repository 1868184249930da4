/** The rows that both sides of `write` insert: the same table, the same values. */
export const TABLE = "dbo.Written";
export const COLUMNS = ["Id", "MeasuredAt", "Value", "Quality", "Sensor", "Place"] as const;

export const CREATE = `CREATE TABLE dbo.Written (Id bigint NOT NULL PRIMARY KEY, MeasuredAt datetime2(7) NOT NULL,
  Value int NOT NULL, Quality int NOT NULL, Sensor nvarchar(8) NOT NULL, Place nvarchar(8) NOT NULL)`;

const FIRST_MS = Date.UTC(2020, 0, 1);

export interface Row {
  readonly id: number;
  readonly ms: number;
  readonly value: number;
  readonly quality: number;
  readonly sensor: string;
  readonly place: string;
}

const mixed = (id: number, salt: number): number => Math.imul(id ^ salt, 0x9e3779b1) >>> 0;
const name = (value: number): string => (value % 2 ** 30).toString(36).padStart(6, "0").toUpperCase();

export const rowOf = (id: number): Row => ({
  id,
  ms: FIRST_MS + id * 997,
  value: mixed(id, 1) | 0,
  quality: mixed(id, 2) % 100,
  sensor: name(mixed(id, 3)),
  place: name(mixed(id, 4)),
});
