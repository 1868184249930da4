import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { durationMs } from "./duration.ts";
import { entitiesOf, type OfficialConfig } from "./official.ts";

const withQueue = (properties: object): OfficialConfig => ({
  UserConfig: { Namespaces: [{ Name: "n", Queues: [{ Name: "q", Properties: properties }] }] },
});

describe("durations", () => {
  const cases: [string, number | undefined][] = [
    ["PT1M", 60_000],
    ["PT20S", 20_000],
    ["P7D", 604_800_000],
    ["P1DT2H3M4.5S", 93_784_500],
    ["P10675199DT2H48M5.4775807S", Infinity],
    ["PT0S", 0],
    ["P", undefined],
    ["PT", undefined],
    ["P1M", undefined],
    ["-PT1M", undefined],
    ["1 minute", undefined],
  ];
  for (const [text, expected] of cases) test(text, () => assert.equal(durationMs(text), expected));
});

describe("the official configuration", () => {
  test("of Microsoft's own example is understood", () => {
    const [queue, topic] = entitiesOf({
      UserConfig: {
        Namespaces: [
          {
            Name: "sbemulatorns",
            Queues: [
              {
                Name: "queue.1",
                Properties: {
                  DeadLetteringOnMessageExpiration: false,
                  DefaultMessageTimeToLive: "PT1H",
                  DuplicateDetectionHistoryTimeWindow: "PT20S",
                  ForwardDeadLetteredMessagesTo: "",
                  ForwardTo: "",
                  LockDuration: "PT1M",
                  MaxDeliveryCount: 3,
                  RequiresDuplicateDetection: false,
                  RequiresSession: false,
                },
              },
            ],
            Topics: [
              {
                Name: "topic.1",
                Properties: {
                  DefaultMessageTimeToLive: "PT1H",
                  DuplicateDetectionHistoryTimeWindow: "PT20S",
                  RequiresDuplicateDetection: true,
                },
                Subscriptions: [
                  { Name: "all" },
                  {
                    Name: "some",
                    Rules: [
                      {
                        Name: "r",
                        Properties: {
                          FilterType: "Correlation",
                          CorrelationFilter: { Label: "subject1", Properties: { prop1: "value1" } },
                        },
                      },
                      { Name: "s", Properties: { FilterType: "Sql", SqlFilter: { SqlExpression: "1 = 0" } } },
                    ],
                  },
                ],
              },
            ],
          },
        ],
        Logging: { Type: "File" },
      },
    });
    assert.deepEqual(queue, {
      kind: "queue",
      name: "queue.1",
      queue: { lockMs: 60_000, maxDeliveries: 3, defaultTtlMs: 3_600_000, deadLetterOnExpiry: false },
      duplicateWindowMs: undefined,
    });
    assert.ok(topic?.kind === "topic");
    assert.equal(topic.duplicateWindowMs, 20_000);
    assert.deepEqual(
      topic.subscriptions.map(({ rules }) => rules),
      [
        [{ matches: "everything" }],
        [
          { matches: "correlation", filter: { subject: "subject1", applicationProperties: { prop1: "value1" } } },
          { matches: "sql", filter: { is: "compared", by: "=", left: { constant: 1 }, right: { constant: 0 } } },
        ],
      ],
    );
  });

  test("has Azure's defaults", () => {
    const [queue] = entitiesOf(withQueue({}));
    assert.ok(queue?.kind === "queue");
    assert.deepEqual(queue.queue, {
      lockMs: 60_000,
      maxDeliveries: 10,
      defaultTtlMs: Infinity,
      deadLetterOnExpiry: false,
    });
  });

  const refused: [string, object, RegExp][] = [
    ["sessions", { RequiresSession: true }, /sessions are not emulated/],
    ["forwarding", { ForwardTo: "other" }, /forwarding is not emulated/],
    ["a lock of 6 minutes", { LockDuration: "PT6M" }, /at most 5 minutes/],
    ["a window of 8 days", { DuplicateDetectionHistoryTimeWindow: "P8D" }, /at most 7 days/],
    ["a property that does not exist", { LockDurations: "PT1M" }, /LockDurations/],
    ["a duration that is none", { LockDuration: "60" }, /not an ISO 8601 duration/],
    ["no deliveries", { MaxDeliveryCount: 0 }, /MaxDeliveryCount/],
  ];
  for (const [name, properties, message] of refused) {
    test(`refuses ${name}`, () => assert.throws(() => entitiesOf(withQueue(properties)), message));
  }

  test("refuses two entities of one name", () => {
    const config = { UserConfig: { Namespaces: [{ Name: "n", Queues: [{ Name: "a" }], Topics: [{ Name: "A" }] }] } };
    assert.throws(() => entitiesOf(config), /"A" is configured twice/);
  });

  const withSubscription = (subscription: object): OfficialConfig => ({
    UserConfig: {
      Namespaces: [{ Name: "n", Topics: [{ Name: "t", Subscriptions: [{ Name: "s", ...subscription }] }] }],
    },
  });
  const withRule = (properties: object) => withSubscription({ Rules: [{ Name: "r", Properties: properties }] });
  const correlation = { FilterType: "Correlation", CorrelationFilter: { To: "x" } };
  const sql = (SqlExpression: string) => ({ FilterType: "Sql", SqlFilter: { SqlExpression } });
  const refusedSubscriptions: [string, OfficialConfig, RegExp][] = [
    ["an action", withRule({ ...sql("1=1"), Action: { SqlExpression: "SET a = 1" } }), /actions are not emulated/],
    ["a SQL filter beyond the subset", withRule(sql("a + 1 = 2")), /SQL filter a \+ 1 = 2: arithmetic is not emulated/],
    ["a filter of another type", withRule({ FilterType: "True" }), /FilterType/],
    ["a filter of two types", withRule({ ...correlation, ...sql("1=1") }), /FilterType|CorrelationFilter/],
    ["an empty correlation filter", withRule({ ...correlation, CorrelationFilter: {} }), /at least one property/],
    [
      "a correlation filter on no property",
      withRule({ ...correlation, CorrelationFilter: { Properties: {} } }),
      /names no property/,
    ],
    [
      "a field that no message has",
      withRule({ ...correlation, CorrelationFilter: { Subject: "x" } }),
      /Unrecognized key.*Subject/,
    ],
    ["an empty list of rules", withSubscription({ Rules: [] }), /leave Rules out/],
    [
      "two rules of one name",
      withSubscription({ Rules: ["r", "R"].map((Name) => ({ Name, Properties: correlation })) }),
      /two rules of one name/,
    ],
    ["a subscription with a slash", withSubscription({ Name: "a/b" }), /not the name of a subscription/],
    ["a subscription of 51 characters", withSubscription({ Name: "s".repeat(51) }), /at most 50/],
    ["a subscription with sessions", withSubscription({ Properties: { RequiresSession: true } }), /sessions/],
    ["a subscription that forwards", withSubscription({ Properties: { ForwardTo: "q" } }), /forwarding/],
    [
      "duplicate detection in a subscription",
      withSubscription({ Properties: { RequiresDuplicateDetection: true } }),
      /RequiresDuplicateDetection/,
    ],
  ];
  for (const [name, config, message] of refusedSubscriptions) {
    test(`refuses ${name}`, () => assert.throws(() => entitiesOf(config), message));
  }

  test("takes subscription names of 50 characters and the default rule by its name", () => {
    const Rules = [{ Name: "$Default", Properties: sql("1=1") }];
    assert.equal(entitiesOf(withSubscription({ Name: "s".repeat(50), Rules })).length, 1);
  });

  test("refuses two subscriptions of one name, and a queue where a subscription is", () => {
    const Subscriptions = [{ Name: "s" }, { Name: "S" }];
    const twice = { UserConfig: { Namespaces: [{ Name: "n", Topics: [{ Name: "t", Subscriptions }] }] } };
    assert.throws(() => entitiesOf(twice), /"t\/Subscriptions\/S" is configured twice/);
    const hidden = withSubscription({});
    hidden.UserConfig.Namespaces[0]!.Queues = [{ Name: "T/subscriptions/s" }];
    assert.throws(() => entitiesOf(hidden), /"t\/Subscriptions\/s" is configured twice/);
  });
});
