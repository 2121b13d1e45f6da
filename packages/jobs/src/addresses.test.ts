import { describe, expect, it } from "vitest";
import { addressRule, isAddressRange, literalAddress } from "./addresses.ts";

describe("an address that callers may have dialled", () => {
  const allowed = addressRule([]);

  it.each(["1.1.1.1", "93.184.216.34", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2a00:1450:4001:81b::200e"])(
    "%s is one of the internet",
    (address) => expect(allowed(address)).toBe(true),
  );

  it.each([
    "0.0.0.0",
    "10.1.2.3",
    "100.64.0.1",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",
    "192.0.2.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.19.255.255",
    "203.0.113.9",
    "224.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:a9fe:a9fe",
    "::ffff:1.1.1.1",
    "64:ff9b::7f00:1",
    "64:ff9b:1::a00:1",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "2606:4700::1111%eth0",
    "no address",
    "",
  ])("%s is none", (address) => expect(allowed(address)).toBe(false));

  it("is also one of the ranges that the installation allows, and of no other", () => {
    const rule = addressRule(["10.0.0.0/8", "127.0.0.1", "fd00::/8"]);
    const asked = ["10.255.0.1", "::ffff:10.0.0.1", "127.0.0.1", "fd12::1", "127.0.0.2", "192.168.0.1", "fe80::1"];
    expect(asked.map(rule)).toEqual([true, true, true, true, false, false, false]);
    expect(["0.0.0.0/0", "::/0"].map((all) => addressRule([all])("::1"))).toEqual([false, true]);
  });
});

it.each([
  ["10.0.0.0/8", true],
  ["127.0.0.1", true],
  ["::1", true],
  ["fd00::/8", true],
  ["10.0.0.0/33", false],
  ["fd00::/129", false],
  ["10.0.0/8", false],
  ["localhost", false],
  ["10.0.0.0/8/8", false],
  ["10.0.0.0/", false],
  ["*", false],
])("a range of addresses: %s is %s", (text, is) => {
  expect(isAddressRange(text)).toBe(is);
});

it.each([
  ["http://127.0.0.1/x", "127.0.0.1"],
  ["http://2130706433/", "127.0.0.1"],
  ["http://0x7f.1/", "127.0.0.1"],
  ["http://017700000001/", "127.0.0.1"],
  ["http://127.1:8080/", "127.0.0.1"],
  ["http://[::1]/", "::1"],
  ["http://[::ffff:127.0.0.1]/", "::ffff:7f00:1"],
  ["http://localhost:3000/", "127.0.0.1"],
  ["http://LOCALHOST./", "127.0.0.1"],
  ["http://api.localhost/", "127.0.0.1"],
  ["https://example.com/127.0.0.1", null],
])("the address in %s is %s", (url, address) => {
  expect(literalAddress(url)).toBe(address);
});
