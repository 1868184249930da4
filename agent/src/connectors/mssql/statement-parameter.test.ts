import assert from "node:assert/strict";
import { test } from "node:test";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { rawParameter, statementParameter } from "./statement-parameter.ts";

const declaration = ({ type, ...rest }: ReturnType<typeof statementParameter>): string =>
  type.declaration({ ...rest, output: false, type });

/** Declared type, value, and what is bound. */
const BOUND: readonly (readonly [type: string, value: string | number | boolean | null, bound: unknown])[] = [
  ["bit", true, true],
  ["bit", 0, false],
  ["tinyint", 255, 255],
  ["int", "-2147483648", -2147483648],
  ["bigint", "9223372036854775807", 9223372036854775807n],
  ["bigint", 5, 5n],
  ["float", 0.1, 0.1],
  ["real", "1.5e3", 1500],
  ["decimal(38,10)", "9999999999999999999999999999.9999999999", "9999999999999999999999999999.9999999999"],
  ["numeric(5,2)", -1.25, "-1.25"],
  ["money", "922337203685477.5807", "922337203685477.5807"],
  ["smallmoney", "-214748.3648", "-214748.3648"],
  ["date", "2026-11-20", "2026-11-20"],
  ["time(7)", "23:59:59.9999999", "23:59:59.9999999"],
  ["datetime2(7)", "9999-12-31T23:59:59.9999999", "9999-12-31T23:59:59.9999999"],
  ["datetimeoffset(7)", "2026-11-20T10:00:00+05:30", "2026-11-20T10:00:00+05:30"],
  ["uniqueidentifier", "00112233-4455-6677-8899-AABBCCDDEEFF", "00112233-4455-6677-8899-AABBCCDDEEFF"],
  ["nvarchar(3)", "æøå", "æøå"],
  ["varchar(max)", "x", "x"],
  ["varbinary(2)", "AP8", Buffer.from([0, 255])],
  ["nchar(2)", null, null],
  ["money", null, null],
  ["varbinary(max)", null, null],
];

test("values are bound exactly, with the declared type", async (t) => {
  for (const [type, value, bound] of BOUND) {
    await t.test(`${type} ${String(value)}`, () => {
      const parameter = statementParameter("p", type, value);
      assert.deepEqual(parameter.value, bound);
      assert.equal(declaration(parameter).split("(")[0], type.split("(")[0]);
      parameter.type.validate(parameter.value, undefined);
    });
  }
});

test("a text on the wire is declared as what the owner says", () => {
  assert.equal(declaration(statementParameter("p", "decimal(18,4)", "1.5")), "decimal(18,4)");
  assert.equal(declaration(statementParameter("p", "nvarchar(100)", "a")), "nvarchar(100)");
  assert.equal(declaration(statementParameter("p", "varbinary(8)", "AA")), "varbinary(8)");
});

test("money keeps its last digit on the wire", () => {
  const bytesOf = (type: string, value: string): string => {
    const written: number[] = [];
    const buffer = {
      writeUInt8: (byte: number) => written.push(byte),
      writeInt32LE: (word: number) => {
        const bytes = Buffer.alloc(4);
        bytes.writeInt32LE(word);
        written.push(...bytes);
      },
    };
    void statementParameter("p", type, value).type.writeValue(buffer as never, { value }, {} as never);
    return Buffer.from(written).toString("hex");
  };
  assert.equal(bytesOf("money", "922337203685477.5807"), "08ffffff7fffffffff");
  assert.equal(bytesOf("money", "-922337203685477.5808"), "080000008000000000");
  assert.equal(bytesOf("money", "-0.0001"), "08ffffffffffffffff");
});

const REFUSED: readonly (readonly [type: string, value: string | number | boolean])[] = [
  ["bit", 2],
  ["bit", "true"],
  ["tinyint", 256],
  ["int", 1.5],
  ["int", "2147483648"],
  ["bigint", "9223372036854775808"],
  ["float", ""],
  ["float", "x"],
  ["decimal(5,2)", "1.234"],
  ["decimal(5,2)", "1000"],
  ["decimal(5,2)", "."],
  ["decimal(5,2)", "1e3"],
  ["money", "922337203685477.5808"],
  ["smallmoney", "214748.3648"],
  ["date", "20.11.2026"],
  ["datetime", "2026-11-20 10:00"],
  ["datetimeoffset", "2026-11-20T10:00:00"],
  ["time", "7pm"],
  ["uniqueidentifier", "00112233"],
  ["nvarchar(3)", "four"],
  ["nvarchar(3)", 1],
  ["varbinary(2)", "AAAA"],
  ["varbinary(2)", "A+"],
];

test("what does not fit is refused, without its value", async (t) => {
  for (const [type, value] of REFUSED) {
    await t.test(`${type} ${String(value)}`, () => {
      assert.throws(
        () => statementParameter("p", type, value),
        (error) =>
          error instanceof SallyportError &&
          error.code === "request.invalid" &&
          error.message === `The value of parameter @p is no ${type}.`,
      );
    });
  }
});

test("raw SQL's parameters are what JSON says", () => {
  assert.equal(rawParameter("p", 5).value, 5n);
  assert.equal(rawParameter("p", 0.5).value, 0.5);
  assert.equal(rawParameter("p", true).type.name, "Bit");
  assert.equal(rawParameter("p", null).type.name, "NVarChar");
});
