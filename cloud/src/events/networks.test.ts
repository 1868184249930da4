import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { allowedNetworks, areNetworks } from "./networks.ts";

const PUBLIC = [
  "1.1.1.1",
  "20.50.1.1",
  "172.15.0.1",
  "172.32.0.1",
  "192.167.255.255",
  "223.255.255.255",
  "2606:4700::1",
  "2a00:1450::1",
];
const REFUSED: Readonly<Record<string, readonly string[]>> = {
  "this host and loopback": ["0.0.0.0", "0.1.2.3", "127.0.0.1", "127.255.255.254", "::1", "::"],
  "private networks": [
    "10.0.0.1",
    "10.255.255.255",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "100.64.0.1",
    "fc00::1",
    "fd12::1",
  ],
  "link-local, with the metadata service": ["169.254.169.254", "169.254.0.1", "fe80::1", "fe80::1%eth0"],
  "Azure's own": ["168.63.129.16"],
  "multicast, broadcast and reserved": ["224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "ff02::1"],
  documentation: ["192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "3fff::1"],
  "IPv4 in IPv6's clothes": [
    "::ffff:127.0.0.1",
    "::ffff:7f00:1",
    "::ffff:8.8.8.8",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
    "2001:0:1::",
  ],
  "what is no address": ["", "localhost", "1.2.3", "0x7f.1", "2130706433", "127.1", "1.2.3.4.5"],
};

describe("networks that a webhook may reach", () => {
  const networks = allowedNetworks([]);
  it("public addresses", () =>
    assert.deepEqual(
      PUBLIC.filter((address) => !networks(address)),
      [],
    ));
  for (const [what, addresses] of Object.entries(REFUSED)) {
    it(`not ${what}`, () => assert.deepEqual(addresses.filter(networks), []));
  }
  it("an exception lets in exactly what it names", () => {
    const some = allowedNetworks(["10.1.0.0/16", "fd00:1::/32"]);
    assert.deepEqual(["10.1.2.3", "10.2.0.1", "fd00:1::5", "fd00:2::5", "::ffff:10.1.2.3", "1.1.1.1"].map(some), [
      ...[true, false, true, false, false, true],
    ]);
  });
  it("a list that is none is noticed", () => {
    for (const text of ["", "10.0.0.0/8", " 10.0.0.0/8 , fd00::/8 "]) assert.equal(areNetworks(text), true, text);
    for (const text of ["10.0.0.0", "10.0.0.0/33", "fd00::/129", "host/8", "10.0.0.0/8;1.1.1.1/32", "/8"]) {
      assert.equal(areNetworks(text), false, text);
    }
  });
});
