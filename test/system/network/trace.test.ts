/** The judges of traces and socket tables, against recorded lines in which what is forbidden was planted. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseTable, parseUnixTable, socketFaults } from "./sockets.ts";
import { nameServersOf, parseTrace, portsReached, targetOf, traceFaults } from "./trace.ts";

const allowed = { ports: new Set([4433, 1433]), nameServers: nameServersOf("# x\nnameserver 10.0.0.2\nsearch a\n") };

const CLEAN = `4711  socket(AF_UNIX, SOCK_STREAM|SOCK_CLOEXEC|SOCK_NONBLOCK, 0) = 17
4711  connect(17, {sa_family=AF_UNIX, sun_path="/var/run/nscd/socket"}, 110) = -1 ENOENT (No such file or directory)
4711  bind(17, {sa_family=AF_NETLINK, nl_pid=0, nl_groups=00000000}, 12) = 0
4711  sendto(17, [{nlmsg_len=20, nlmsg_type=RTM_GETADDR}, {ifa_family=AF_UNSPEC}], 20, 0, {sa_family=AF_NETLINK, nl_pid=0, nl_groups=00000000}, 12) = 20
4711  connect(17, {sa_family=AF_INET, sin_port=htons(53), sin_addr=inet_addr("10.0.0.2")}, 16) = 0
4711  sendmmsg(17, [{msg_hdr={msg_name=NULL, msg_namelen=0}}], 1, MSG_NOSIGNAL) = 1
4711  connect(21, {sa_family=AF_INET, sin_port=htons(4433), sin_addr=inet_addr("127.0.0.1")}, 16 <unfinished ...>
4712  connect(22, {sa_family=AF_INET6, sin6_port=htons(1433), sin6_flowinfo=htonl(0), inet_pton(AF_INET6, "::1", &sin6_addr), sin6_scope_id=0}, 28) = -1 EINPROGRESS (Operation now in progress)
4711  <... connect resumed>)            = -1 EINPROGRESS (Operation now in progress)
4711  connect(21, {sa_family=AF_UNSPEC, sa_data="\\0\\0"}, 16) = 0
4711  sendto(21, "POST /token", 11, 0, NULL, 0) = 11
4712  --- SIGTERM {si_signo=SIGTERM, si_code=SI_USER, si_pid=1, si_uid=0} ---
4712  +++ exited with 0 +++
`;

test("what an agent needs is no fault: its own addresses, name services, the kernel", () => {
  const calls = parseTrace(CLEAN);
  assert.deepEqual(traceFaults(calls, allowed), []);
  assert.deepEqual([...portsReached(calls)].sort(), [0, 1433, 4433, 53]);
  assert.deepEqual(targetOf(calls.find(({ pid }) => pid === 4712)!.rest), {
    family: "INET6",
    host: "::1",
    port: 1433,
    path: "",
  });
});

for (const [what, line] of Object.entries({
  "a connection to another port": `connect(9, {sa_family=AF_INET, sin_port=htons(81), sin_addr=inet_addr("127.0.0.1")}, 16) = 0`,
  "a connection to another host": `connect(9, {sa_family=AF_INET, sin_port=htons(4433), sin_addr=inet_addr("10.9.9.9")}, 16 <unfinished ...>`,
  "a connection by IPv6": `connect(9, {sa_family=AF_INET6, sin6_port=htons(4433), sin6_flowinfo=htonl(0), inet_pton(AF_INET6, "2001:db8::1", &sin6_addr), sin6_scope_id=0}, 28) = 0`,
  "a query to a foreign name server": `sendto(9, "x", 1, 0, {sa_family=AF_INET, sin_port=htons(53), sin_addr=inet_addr("8.8.8.8")}, 16) = 1`,
  "a datagram with an address of its own": `sendmsg(9, {msg_name={sa_family=AF_INET, sin_port=htons(514), sin_addr=inet_addr("127.0.0.1")}, msg_namelen=16}, 0) = 1`,
  "another Unix socket": `connect(9, {sa_family=AF_UNIX, sun_path="/run/docker.sock"}, 110) = 0`,
  "an abstract Unix socket": `connect(9, {sa_family=AF_UNIX, sun_path=@"/tmp/dbus"}, 20) = 0`,
  "a listening socket": "listen(9, 511) = 0",
  "an accepted connection": "accept4(9, NULL, NULL, SOCK_CLOEXEC) = 12",
  "a bound port": `bind(9, {sa_family=AF_INET, sin_port=htons(9229), sin_addr=inet_addr("127.0.0.1")}, 16) = 0`,
  "a bound Unix socket": `bind(9, {sa_family=AF_UNIX, sun_path="/tmp/x.sock"}, 13) = 0`,
})) {
  test(`${what} is a fault, wherever it stands`, () => {
    for (const text of [
      `${CLEAN}88    ${line}\n`,
      `88    ${line}\n${CLEAN}`,
      `88  12:00:00.123456 ${line}\n`.replace("12:00:00", "12.0"),
    ])
      assert.equal(traceFaults(parseTrace(text), allowed).length, 1, text);
  });
}

const TCP = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:2327 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 501 1 0000 100 0 0 10 0
   1: 0100007F:B1E0 0100007F:1151 01 00000000:00000000 02:0000 00000000     0        0 502 2 0000 20 4 30 10 -1
   2: 0100007F:B1E2 08080808:01BB 01 00000000:00000000 02:0000 00000000     0        0 503 2 0000 20 4 30 10 -1
`;
const UNIX = `Num       RefCount Protocol Flags    Type St Inode Path
0000: 00000002 00000000 00010000 0001 01 601 /tmp/x.sock
0000: 00000003 00000000 00000000 0001 03 602
`;

test("tables of sockets: who listens, and who is connected where", () => {
  const tcp = parseTable("tcp", TCP);
  assert.deepEqual(
    tcp.map(({ state, remote, inode }) => [state, remote.host, remote.port, inode]),
    [
      ["listening", "0.0.0.0", 0, "501"],
      ["connected", "127.0.0.1", 4433, "502"],
      ["connected", "8.8.8.8", 443, "503"],
    ],
  );
  assert.deepEqual(socketFaults([...tcp, ...parseUnixTable(UNIX)], allowed.ports), [
    "listens on tcp 127.0.0.1:8999",
    "is connected to 8.8.8.8:443",
    "listens on unix /tmp/x.sock:0",
  ]);
  const v6 = parseTable(
    "tcp",
    `h\n 0: 0000000000000000FFFF00000100007F:B1E0 0000000000000000FFFF00000100007F:1151 01 0:0 0:0 0 0 0 7 1`,
  );
  assert.deepEqual(socketFaults(v6, allowed.ports), []);
  const udp = parseTable(
    "udp",
    `h\n 0: 00000000:0044 00000000:0000 07 0:0 0:0 0 0 0 8 2\n 1: 0100007F:B1E0 0200000A:0035 01 0:0 0:0 0 0 0 9 2`,
  );
  assert.deepEqual(
    udp.map(({ state }) => state),
    ["listening", "connected"],
  );
});
