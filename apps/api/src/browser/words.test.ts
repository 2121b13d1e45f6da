import { expect, it } from "vitest";
import { bytes, filled, hearsSession, lapse, ownerText, podPath, took, webAddress } from "../../assets/static/words.js";

it.each([
  [-5, "0 s"],
  [59_999, "59 s"],
  [60_000, "1 min"],
  [7_199_000, "1 h"],
  [86_400_000 * 3.9, "3 d"],
])("%d ms ago is %s", (ms, text) => expect(lapse(ms)).toBe(text));

it.each([
  [12.4, "12 ms"],
  [1_550, "1.6 s"],
  [61_000, "1 min 1 s"],
  [3_660_000, "1 h 1 min"],
])("%d ms long is %s", (ms, text) => expect(took(ms)).toBe(text));

it.each([
  [0, "0 bytes"],
  [1, "1 byte"],
  [1_023, "1023 bytes"],
  [1_536, "1.5 KiB"],
  [5 * 1_024 ** 3, "5.0 GiB"],
  [1_024 ** 4, "1024.0 GiB"],
])("%d is %s", (count, text) => expect(bytes(count)).toBe(text));

it.each([
  ["http://10.0.0.1:31000/", "http://10.0.0.1:31000/"],
  ["https://a.example", "https://a.example"],
  ["javascript:alert(1)", null],
  [" javascript:alert(1)", null],
  ["data:text/html,x", null],
  ["10.0.0.1:31000", null],
  ["", null],
  [null, null],
])("of the address %s a link is made to %s", (text, link) => expect(webAddress(text)).toBe(link));

it.each([
  ["http://podq.example:31000/", "podq.example", true],
  ["https://PODQ.example", "podq.example", true],
  ["http://[::1]:31000", "[::1]", true],
  ["http://127.0.0.1:31000", "localhost", false],
  ["http://pods.podq.example", "podq.example", false],
])("whether %s hears the session of %s is %s, since a cookie goes by the name and not by the port", (address, own, hears) =>
  expect(hearsSession(address, own)).toBe(hears),
);

it("a pod's page is at its owner and name, whatever letters they have", () => {
  expect(ownerText({ conversation: "c" })).toBe("conversation/c");
  expect(podPath({ owner: { project: "a@b:c" }, name: "gpu" })).toBe("/ui/pods/project/a%40b%3Ac/gpu");
});

it("of a form only what was filled in is asked", () => {
  expect(filled(new URLSearchParams("owner=+p+&status=&label=a%3Db&label=c%3Dd"))).toBe("?owner=p&label=a%3Db&label=c%3Dd");
  expect(filled(new URLSearchParams("owner=+"))).toBe("");
});
