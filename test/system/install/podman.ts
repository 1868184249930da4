/**
 * Podman on a machine of its own, where compose.yaml says how its containers run. What the machine has not: control groups with
 * controllers (memory and process limits), a network of a container's own, and the right to raise limits of open files.
 */
import { readFileSync } from "node:fs";
import { parse } from "yaml";
import { z } from "zod";
import type { Machine } from "./machine.ts";

/** All that stands in a service: another key is a mistake until somebody knows its option. */
const service = z.strictObject({
  image: z.string(),
  read_only: z.literal(true),
  ulimits: z.strictObject({ core: z.literal(0) }),
  volumes: z.array(z.string()),
  cap_drop: z.tuple([z.literal("ALL")]),
  cap_add: z.array(z.string()).optional(),
  security_opt: z.array(z.string()).optional(),
  user: z.string().optional(),
  entrypoint: z.array(z.string()).optional(),
  healthcheck: z
    .strictObject({
      test: z.tuple([z.literal("CMD")], z.string()),
      interval: z.string(),
      timeout: z.string(),
      retries: z.int(),
    })
    .optional(),
  restart: z.literal("always").optional(),
  stop_grace_period: z.string().optional(),
  mem_limit: z.string().optional(),
  pids_limit: z.number().optional(),
  profiles: z.array(z.string()).optional(),
});
const composeFile = z.object({ services: z.object({ agent: service, enroll: service }) });

export interface Podman {
  (...words: readonly string[]): Promise<string>;
  /** What a container has written to both of its outputs. */
  logs(container: string): Promise<string>;
  /** The same, with a standard input. */
  with(input: string | undefined): (...words: readonly string[]) => Promise<string>;
  readonly image: string;
  /** Of a service of compose.yaml's, but its entrypoint. */
  options(service: "agent" | "enroll"): readonly string[];
}

/** Temporary: a machine's root can hold no overlay of another's layers. */
const STORE = ["--root=/var/tmp/containers", "--runroot=/run/containers", "--tmpdir=/run/libpod"];
const ENGINE = [...STORE, "--storage-driver=vfs", "--cgroup-manager=cgroupfs", "--events-backend=file"];
const MISSING = ["--network=host", "--cgroups=disabled", "--ulimit=nofile=4096:4096", "--ulimit=nproc=4096:4096"];

/** @param compose the release's compose.yaml */
export function podmanOn(machine: Machine, compose: string): Podman {
  const { services } = composeFile.parse(parse(readFileSync(compose, "utf8"), { merge: true }));
  const withInput =
    (input: string | undefined) =>
    (...words: readonly string[]): Promise<string> =>
      machine.run({
        args: ["/usr/bin/podman", ...ENGINE, ...words],
        environment: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin" },
        ...(input === undefined ? {} : { input }),
      });
  return Object.assign(withInput(undefined), {
    with: withInput,
    logs: (container: string) =>
      machine.run({ args: ["/bin/sh", "-c", `/usr/bin/podman ${ENGINE.join(" ")} logs ${container} 2>&1`] }),
    image: `localhost/${services.agent.image}`,
    options(name: "agent" | "enroll"): readonly string[] {
      const { volumes, cap_drop, cap_add = [], security_opt = [], user, healthcheck } = services[name];
      return [
        ...MISSING,
        ...["--read-only", "--ulimit=core=0:0"],
        ...volumes.map((each) => `--volume=${each}`),
        ...cap_drop.map((each) => `--cap-drop=${each}`),
        ...cap_add.map((each) => `--cap-add=${each}`),
        ...security_opt.map((each) => `--security-opt=${each.replace(/:true$/, "")}`),
        ...(user === undefined ? [] : [`--user=${user}`]),
        // Without systemd's timers of its own Podman looks only when it is asked.
        ...(healthcheck === undefined
          ? []
          : [`--health-cmd=${JSON.stringify(healthcheck.test.slice(1))}`, "--health-interval=disable"]),
      ];
    },
  });
}
