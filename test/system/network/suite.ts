/** The agent listens nowhere and reaches out to its own systems only (docs/security/claims.md, 1). */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { createCleanup } from "../../stack/cleanup.ts";
import { type InstalledAgent, installAgent } from "../installed-agent.ts";
import { childrenOf, gone, hasEnded, until } from "../processes.ts";
import type { Check, Suite } from "../suite.ts";
import { startWorld, type World } from "../world.ts";
import { startLoop } from "./loop.ts";
import { endpointsOf, socketFaults } from "./sockets.ts";
import { strace, traced } from "./strace.ts";
import { type Allowed, NETWORK_CALLS, nameServersOf, parseTrace, portsReached, traceFaults } from "./trace.ts";

const SITE = "watched";

export const network: Suite = {
  name: "network",
  about: "addresses that the agent reaches, sockets that it opens, what outlives it",
  async run(check) {
    const cleanup = createCleanup();
    try {
      await runChecks(check, await startWorld("network", cleanup));
    } finally {
      await cleanup.run();
    }
  },
};

async function runChecks(check: Check, world: World): Promise<void> {
  const { stack, tds, folder } = world;
  const { relay } = stack;
  const trace = (name: string) => join(folder, `${name}.trace`);
  const allowed: Allowed = {
    ports: new Set([Number(new URL(stack.origin).port), relay.controlPort, relay.rendezvousPort, tds.port]),
    nameServers: nameServersOf(readFileSync("/etc/resolv.conf", "utf8")),
  };
  let agent: InstalledAgent | undefined;
  const judge = async (name: string): Promise<string[]> => traceFaults(parseTrace(await traced(trace(name))), allowed);

  await check("enrolment reaches the orchestrator and, for its checks, the relay, and nothing else", async () => {
    agent = await installAgent(world, SITE, strace(trace("enrol"), NETWORK_CALLS));
    assert.deepEqual(await judge("enrol"), []);
    const reached = portsReached(parseTrace(await traced(trace("enrol"))));
    assert.ok(reached.has(Number(new URL(stack.origin).port)));
    // There is no policy yet that would name a system.
    assert.ok(!reached.has(tds.port));
  });
  if (agent === undefined) return;
  const watched = agent;
  await watched.start({ wrapper: strace(trace("run"), NETWORK_CALLS) });
  await world.definePull("watched", SITE, "dbo.Marked");
  await world.definePull("watched-slow", SITE, "dbo.Slow");

  await check(
    "pulls, faults of the relay, a forged accept and a hanging read leave no socket but its own",
    async () => {
      await world.pull("watched");
      const forged = await startTrap();
      const forget = relay.faults.accept({ do: "forge", address: `wss://127.0.0.1:${forged.port}/$hc/a`, times: 1 });
      const misled = await world.startRun("watched");
      await until("the forged accept is refused", () => /neither the namespace's/.test(logOf(world)));
      await world.runEnd(misled.id);
      forget();
      assert.equal(forged.calls(), 0);
      await forged.close();

      for (const fault of ["reset", "close", "refuse"] as const) {
        const before = relay.stats().listenersTotal;
        if (fault === "refuse") await relay.faults.refuseConnections("control", true);
        if (fault === "close") relay.faults.closeListeners(1011, `a-${watched.id}`);
        else relay.faults.resetListeners(`a-${watched.id}`);
        if (fault === "refuse") {
          await until("the agent notices", () => relay.stats().listeners <= 1);
          await relay.faults.refuseConnections("control", false);
        }
        await until("the agent is back", () => relay.stats().listenersTotal > before && relay.stats().listeners >= 2);
        await world.pull("watched");
      }

      const pid = watched.process.pid!;
      const hanging = await world.hang("watched-slow", pid);
      for (const each of [pid, ...childrenOf(pid)])
        assert.deepEqual(socketFaults(endpointsOf(each), allowed.ports), []);
      relay.faults.resetSessions("both", `a-${watched.id}`);
      await gone(hanging.executor);
      const ended = await world.runEnd(hanging.run);
      assert.equal(ended.state, "published", JSON.stringify(ended.error));
    },
  );

  await check("SIGUSR1 to an executor opens no inspector", async () => {
    const pid = watched.process.pid!;
    const executor = await until("an executor waits", () => childrenOf(pid)[0]);
    process.kill(executor, "SIGUSR1");
    await world.pull("watched");
    for (const each of [pid, executor, ...childrenOf(pid)])
      assert.deepEqual(socketFaults(endpointsOf(each), allowed.ports), []);
  });

  await check("the agent drains and ends", async () => {
    assert.equal(await watched.stop(), 0);
  });

  await check("from start to end it reached its own systems only, bound no port and listened nowhere", async () => {
    const calls = parseTrace(await traced(trace("run")));
    assert.deepEqual(traceFaults(calls, allowed), []);
    const reached = portsReached(calls);
    for (const port of allowed.ports) assert.ok(reached.has(port), `port ${port} is not in the trace`);
    assert.ok(new Set(calls.map(({ pid }) => pid)).size > 3, "executors are in the trace");
  });

  await check("SIGUSR1 to the supervisor opens no inspector, whether it lives or ends", async () => {
    await watched.start({ wrapper: strace(trace("signal"), NETWORK_CALLS) });
    const pid = watched.process.pid!;
    process.kill(pid, "SIGUSR1");
    // Without a handler the signal ends it; with one it goes on, and would have opened its port before it serves again.
    await Promise.race([gone(pid), world.pull("watched").catch(() => undefined)]);
    if (!hasEnded(pid)) assert.deepEqual(socketFaults(endpointsOf(pid), allowed.ports), []);
    await watched.stop("SIGKILL");
    assert.deepEqual(await judge("signal"), []);
  });

  await check(
    "counter-example: SIGUSR1 opens the inspector of another Node process, and both checks see it",
    async () => {
      const planted = startNode(["--inspect-port=127.0.0.1:0", "-e", FOREVER], strace(trace("planted"), NETWORK_CALLS));
      try {
        await once(planted.stdout!, "data");
        process.kill(planted.pid!, "SIGUSR1");
        const faults = await until("its inspector listens", () => {
          const found = socketFaults(endpointsOf(planted.pid!), allowed.ports);
          return found.length > 0 && found;
        });
        assert.match(faults.join(), /^listens on tcp 127\.0\.0\.1:\d+$/);
      } finally {
        planted.kill("SIGKILL");
      }
      assert.match((await judge("planted")).join(), /called listen\(/);
    },
  );

  await check("counter-example: a connection to another port is seen in a trace", async () => {
    const trap = await startTrap();
    const planted = startNode(
      ["-e", `require("net").connect(${trap.port}, "127.0.0.1")`],
      strace(trace("stray"), NETWORK_CALLS),
    );
    await until("it connects", () => trap.calls() > 0);
    planted.kill("SIGKILL");
    assert.equal(
      (await judge("stray")).filter((fault) => fault.includes(`127.0.0.1:${trap.port} by connect`)).length,
      1,
    );
    await trap.close();
  });

  await check("a supervisor that is killed takes an executor in a read, stopped and deaf, with it", async () => {
    await watched.start();
    const pid = watched.process.pid!;
    await world.hang("watched-slow", pid);
    const executors = childrenOf(pid);
    for (const executor of executors) process.kill(executor, "SIGSTOP");
    await watched.stop("SIGKILL");
    for (const executor of executors) await gone(executor);
  });

  await check("a child in an endless loop, started as executors are, ends with its parent", async () => {
    const loop = await startLoop({ confined: true });
    process.kill(loop.parent, "SIGKILL");
    await gone(loop.child);
  });

  await check("counter-example: without setpriv it goes on", async () => {
    const loop = await startLoop({ confined: false });
    process.kill(loop.parent, "SIGKILL");
    await gone(loop.parent);
    try {
      assert.equal(hasEnded(loop.child), false);
    } finally {
      process.kill(loop.child, "SIGKILL");
    }
    await gone(loop.child);
  });
}

const FOREVER = "console.log('up'); setInterval(() => {}, 1e6)";

function startNode(args: readonly string[], wrapper: readonly string[]): ChildProcess {
  const [command, ...rest] = [...wrapper, process.execPath, ...args];
  return spawn(command!, rest, { stdio: ["ignore", "pipe", "ignore"] });
}

const logOf = (world: World): string => readFileSync(join(world.folder, "logs", `${SITE}.log`), "utf8");

/** A port where nobody should come. */
async function startTrap(): Promise<{ port: number; calls: () => number; close: () => Promise<void> }> {
  let calls = 0;
  const server = createServer((socket) => {
    calls += 1;
    socket.on("error", () => undefined);
    socket.destroy();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  return {
    port,
    calls: () => calls,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}
