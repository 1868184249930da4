/** The simulated agents, all in this process. Orders come as lines on standard input, answers go as lines to standard output. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { enrolAgent, type SimulatedAgent } from "./agent.ts";
import { type Answer, type Order, order } from "./orders.ts";

const agents: SimulatedAgent[] = [];
const failed: Record<string, number> = {};
const end = new AbortController();
let happened = Promise.withResolvers<void>();

const told = (failure?: string): void => {
  if (failure !== undefined) failed[failure] = (failed[failure] ?? 0) + 1;
  happened.resolve();
  happened = Promise.withResolvers();
};

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await happened.promise;
}

for await (const line of createInterface({ input: process.stdin })) {
  await carryOut(order.parse(JSON.parse(line)));
  process.stdout.write(`${JSON.stringify(summary())}\n`);
}
end.abort();
process.exit(0);

async function carryOut(asked: Order): Promise<void> {
  switch (asked.do) {
    case "enrol": {
      const { origin, rendezvousHost, folder } = asked;
      const network = { caPem: readFileSync(asked.caFile, "utf8") };
      const codes = asked.codes.entries();
      const worker = async (): Promise<void> => {
        for (const [at, code] of codes) {
          const own = { origin, rendezvousHost, network, code, folder: join(folder, `agent-${at}`) };
          agents.push(await enrolAgent(own, told, end.signal));
        }
      };
      await Promise.all(Array.from({ length: asked.atOnce }, worker));
      return;
    }
    case "listen":
      for (const agent of agents) void agent.listen(end.signal);
      return until(() => agents.every(({ online }) => online));
    case "renew": {
      const before = agents.map(({ tokens }) => tokens);
      for (const agent of agents) agent.renew();
      return until(() => agents.every(({ tokens }, at) => tokens > before[at]!));
    }
    case "tell":
      return;
    default:
      return asked satisfies never;
  }
}

function summary(): Answer {
  const sum = (of: (agent: SimulatedAgent) => number): number => agents.reduce((all, agent) => all + of(agent), 0);
  return {
    agents: agents.map(({ id }) => id),
    online: agents.filter(({ online }) => online).length,
    pinged: agents.filter(({ canaries }) => canaries > 0).length,
    canaries: sum(({ canaries }) => canaries),
    requests: sum(({ requests }) => requests),
    failed: { ...failed },
    residentBytes: process.memoryUsage.rss(),
  };
}
