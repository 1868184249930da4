/** What a unit forbids, tried by a shell that systemd starts in its place, and by the same account without the unit's lines. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { until } from "../processes.ts";
import type { Machine } from "./machine.ts";

/** Shell commands that the account may do where nothing forbids it; `may` are what the agent needs. */
const TRIED: Readonly<Record<string, string>> = {
  "may write its state": "touch /var/lib/sallyport/run/probe && rm /var/lib/sallyport/run/probe",
  "may read its policy": "cat /etc/sallyport/policy.yaml",
  "may start a program": "/usr/bin/env true",
  "write elsewhere": "touch /var/spool/probe/file",
  "see the system's temporary files": "test -e /tmp/probe-of-others",
  "see homes": "test -e /home/probe",
  "see others' processes": "test -e /proc/1/cmdline",
  "see devices": "test -e /dev/probe",
  "make a name space": "unshare --user true",
  "make a program of its own that others run as it":
    "f=/var/lib/sallyport/run/suid; : > $f; chmod u+s $f; s=$?; rm $f; exit $s",
  "ask the kernel by another kind of socket": `/opt/sallyport/current/node --eval 'os.networkInterfaces()'`,
  "change its personality": "setarch --addr-no-randomize true",
  "lower others' priority below its own": "ionice -c 3 true",
};

type Outcomes = Readonly<Record<string, string>>;

/** @param unit the file of the service's unit */
export async function tryUnit(machine: Machine, unit: string): Promise<{ confined: Outcomes; open: Outcomes }> {
  const { folder } = machine.root;
  const shell = (...lines: string[]): Promise<string> => machine.run({ args: ["/bin/sh", "-c", lines.join(" && ")] });
  await shell(
    ...["mkdir /home/probe /var/spool/probe", "chmod 777 /var/spool/probe", "touch /tmp/probe-of-others"],
    "mknod -m 666 /dev/probe c 1 3",
  );
  const script = Object.entries(TRIED)
    .map(
      ([name, command]) =>
        `(${command}) > /dev/null 2>&1 && echo "tried ${name}: done" || echo "tried ${name}: refused"`,
    )
    .join("\n");
  // Not below /tmp, where the unit has a folder of its own.
  writeFileSync(join(folder, "/var/spool/probe/probe.sh"), `${script}\n`);
  const text = readFileSync(join(folder, unit), "utf8")
    .replace(/^Type=.*$/m, "Type=oneshot")
    .replace(/^ExecStart=.*$/m, "ExecStart=/bin/sh /var/spool/probe/probe.sh")
    .replace(/^Restart.*\n/gm, "");
  const [user, group] = [/^User=.*$/m.exec(text)?.[0], /^Group=.*$/m.exec(text)?.[0]];
  const service = `[Service]\nType=oneshot\n${user}\n${group}\nExecStart=/bin/sh /var/spool/probe/probe.sh\n`;
  const confined = await outcomes(machine, "probe-confined.service", text);
  const open = await outcomes(machine, "probe-open.service", service);
  await shell("rm -r /home/probe /var/spool/probe /dev/probe");
  return { confined, open };
}

async function outcomes(machine: Machine, unit: string, text: string): Promise<Outcomes> {
  // Units of this start only, which leave nothing.
  writeFileSync(join(machine.root.folder, "run/systemd/system", unit), text);
  await machine.run({ args: ["/usr/bin/systemctl", "daemon-reload"] });
  await machine.run({ args: ["/usr/bin/systemctl", "start", unit] });
  const said = await until("what was tried is in the log", async () => {
    const log = await machine.run({ args: ["/usr/bin/journalctl", "--no-pager", "--output=cat", "--unit", unit] });
    const found = [...log.matchAll(/^tried (.*): (done|refused)$/gm)];
    return found.length === Object.keys(TRIED).length && found;
  });
  return Object.fromEntries(said.map(([, name, outcome]) => [name!, outcome!]));
}
