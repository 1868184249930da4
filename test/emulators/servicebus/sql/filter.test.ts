import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Facets } from "../broker/facets.ts";
import { holds } from "./evaluate.ts";
import { parseFilter } from "./parse.ts";

const facets: Facets = {
  messageId: "m-1",
  subject: "100% run",
  to: "store5",
  applicationProperties: {
    color: "Red",
    quantity: 10,
    price: 2.5,
    urgent: true,
    nothing: null,
    at: new Date(0),
    "two words": "x",
    'a"b]c': "y",
    Ärger: 1,
  },
};

const selected = [
  "1=1",
  "color = 'Red'",
  "COLOR = 'Red'",
  "user.Color = 'Red'",
  "'Red' = color",
  "color <> 'red'",
  "color != 'blue'",
  "quantity = 10",
  "quantity = 10.0",
  "quantity = 1e1",
  "quantity > 9 AND quantity >= 10 AND quantity < 11 AND quantity <= 10",
  "price = 25E-1",
  "quantity > -1 AND -1 < +1",
  "price < quantity",
  "urgent = TRUE",
  "urgent <> false",
  "[two words] = 'x'",
  "\"two words\" = 'x'",
  "[a\"b]]c] = 'y'",
  '"a""b]c" = \'y\'',
  "Ärger = 1",
  "sys.MessageId = 'm-1' and SYS.To = 'store5'",
  "sys.Label LIKE '%run'",
  "sys.Label LIKE '100\\% run' ESCAPE '\\'",
  "color LIKE 'R_d'",
  "color LIKE '%'",
  "color LIKE '%e%d%'",
  "color NOT LIKE 'r%'",
  "color IN ('Blue', 'Red')",
  "quantity IN (1, 10)",
  "color NOT IN ('Blue')",
  "'Red' IN ('Red')",
  "missing IS NULL",
  "nothing IS NULL",
  "at IS NOT NULL",
  "sys.ReplyTo IS NULL",
  "EXISTS(color)",
  "exists ( user.nothing )",
  "NOT EXISTS(missing)",
  "NOT color = 'Blue'",
  "NOT NOT 1=1",
  "color = 'Blue' AND 1=1 OR 1=1",
  "1=1 OR 1=1 AND 1=0",
  "(1=0 OR 1=1) AND ((1=1))",
  "NOT (1=1 AND 1=0)",
  "missing = 1 OR 1=1",
  "NOT (missing = 1 AND 1=0)",
  "color='Red'AND\n\tquantity=10",
  "'it''s' = 'it''s'",
];

const passedOver = [
  "1=0",
  "color = 'red'",
  "quantity = '10'",
  "quantity <> '10'",
  "urgent = 1",
  "color < quantity",
  "price < color",
  "missing = 1",
  "missing <> 1",
  "NOT missing = 1",
  "NOT (missing = 1 OR 1=0)",
  "missing = 1 AND 1=1",
  "missing = other",
  "nothing = nothing",
  "at = at",
  "missing LIKE '%'",
  "missing NOT LIKE '%'",
  "quantity LIKE '1%'",
  "missing IN ('a')",
  "missing NOT IN ('a')",
  "color NOT IN ('Red', 1)",
  "color LIKE ''",
  "color LIKE 'R__d'",
  "color LIKE 'Red_'",
  "color LIKE '%x%'",
  "sys.ReplyTo = ''",
  "EXISTS(missing)",
  "EXISTS(toString)",
  "constructor IS NOT NULL",
  "1=1 AND 1=0 OR 1=0",
];

for (const expression of selected) {
  test(`selects: ${expression}`, () => assert.equal(holds(parseFilter(expression), facets), true));
}
for (const expression of passedOver) {
  test(`passes over: ${expression}`, () => assert.equal(holds(parseFilter(expression), facets), false));
}

describe("refused, with the reason", () => {
  const cases: [string, RegExp][] = [
    ["", /expected a property or a constant at the end/],
    ["color", /expected a comparison at the end/],
    ["TRUE", /expected a comparison at the end/],
    ["color =", /expected a property or a constant at the end/],
    ["color == 'Red'", /expected a property or a constant at character 8/],
    ["color = 'Red", /what begins at character 9 cannot be read/],
    ["color = 'Red' quantity = 1", /expected AND, OR or the end at character 15/],
    ["(1=1", /expected \) at the end/],
    ["1=1)", /expected AND, OR or the end at character 4/],
    ["1=1;", /what begins at character 4/],
    ["1=1 -- comment", /arithmetic is not emulated/],
    ["quantity + 1 = 11", /arithmetic is not emulated \(at character 10\)/],
    ["1 = quantity * 2", /arithmetic/],
    ["- quantity = 1", /expected a number at character 3/],
    ["newid() = 'x'", /the function newid is not emulated/],
    ["p('color') = 'Red'", /the function p is not emulated/],
    ["color = @color", /parameters are not emulated/],
    ["sys.TimeToLive = 1", /sys\.TimeToLive is not emulated/],
    ["sys.constructor = 'x'", /sys\.constructor is not emulated/],
    ["message.color = 'Red'", /the scope is sys or user, not message/],
    ["EXISTS(sys.Label)", /user properties only/],
    ["EXISTS color", /expected \( at character 8/],
    ["1 IS NULL", /about properties/],
    ["color IS 'Red'", /expected NULL/],
    ["color = NULL", /expected a property or a constant at character 9/],
    ["color NOT = 'Red'", /expected IN or LIKE/],
    ["color IN ()", /expected a constant/],
    ["color IN (quantity)", /expected a constant/],
    ["color IN ('a',)", /expected a constant/],
    ["color LIKE quantity", /expected text/],
    ["color LIKE 'a' ESCAPE 'ab'", /one character/],
    ["color LIKE 'a\\b' ESCAPE '\\'", /before %, _ or itself only/],
    ["color LIKE 'a\\' ESCAPE '\\'", /before %, _ or itself only/],
    ["color > 'Red'", /> compares numbers only/],
    ["TRUE < quantity", /< compares numbers only/],
    ["quantity = 9007199254740993", /too large/],
    ["quantity = 1e999", /too large/],
    ["AND = 1", /expected a property or a constant at character 1/],
    ["[] = 1", /what begins at character 1/],
    [`color = '${"x".repeat(1024)}'`, /longer than 1024/],
  ];
  for (const [expression, message] of cases) {
    test(expression.slice(0, 40), () => assert.throws(() => parseFilter(expression), message));
  }
});

test("nesting as deep as the length allows is read", () => {
  const depth = 510;
  const filter = parseFilter(`${"(".repeat(depth)}1=1${")".repeat(depth)}`);
  assert.equal(holds(filter, facets), true);
});

test("a pattern of many wildcards ends on a long text that does not fit", () => {
  const filter = parseFilter(`color LIKE '${"%a".repeat(300)}%b'`);
  assert.equal(holds(filter, { applicationProperties: { color: "a".repeat(10_000) } }), false);
  assert.equal(holds(filter, { applicationProperties: { color: `${"a".repeat(10_000)}b` } }), true);
});
