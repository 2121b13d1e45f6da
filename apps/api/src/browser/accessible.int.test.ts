import axe from "axe-core";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { noBrowser, openShow, type Show } from "./testing.ts";

let show: Show;
beforeAll(async () => {
  if (noBrowser === null) show = await openShow();
});
afterAll(async () => show?.[Symbol.asyncDispose]());
beforeEach((test) => test.skip(noBrowser !== null, noBrowser ?? ""));

/** What axe finds wrong with a page: labels, contrast, roles, order of headings. */
async function faults(page: Page): Promise<unknown> {
  await page.evaluate(axe.source);
  return page.evaluate(`axe.run({ runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] })
    .then(({ violations }) => violations.map(({ id, nodes }) => [id, ...nodes.map(({ html, failureSummary }) => html + failureSummary)]))`);
}

it.each([
  ["light", { width: 1280, height: 800 }],
  ["dark", { width: 390, height: 844 }],
] as const)(
  "the pages have labels, contrast and roles, in %s",
  async (colorScheme, viewport) => {
    const project = `seen-${colorScheme}`;
    await show.pod({ project }, { status: "running", url: "http://10.20.0.4:31080", labels: { team: "blue" } });
    await show.pod({ project }, { name: "broken", status: "error" });
    await show.pod({ project }, { name: "new" });
    const [done, live, gone] = [await show.exec(project), await show.exec(project), await show.exec(project)];
    const first = await show.run(done);
    const codes = [...[30, 31, 32, 33, 34, 35, 36, 37].flatMap((code) => [code, code + 60]), 2];
    await first.write("stdout", codes.map((code) => `\u001b[${code}mcolour ${code}\u001b[0m\n`).join(""));
    await first.write("stderr", codes.map((code) => `\u001b[${code}mcolour ${code}\u001b[0m\n`).join(""));
    await first.write("stdout", [41, 42, 43, 44, 45, 46].map((code) => `\u001b[97;${code}mon ${code}\u001b[0m\n`).join(""));
    await first.end(3);
    await show.scene.ask("POST", `/v1/jobs/${gone}/cancel`, { token: show.token, body: { reason: "no need" } });
    await show.run(live);
    const { page } = await show.open({ colorScheme, viewport, bypassCSP: true, reducedMotion: "reduce" });
    await page.goto(`${show.scene.url}/login`);
    expect(await faults(page)).toEqual([]);
    await show.signIn(page, "/ui");
    for (const [path, text] of [
      ["/ui", "image-not-found"],
      ["/ui?status=stopped", "No pod is like that"],
      [`/ui/pods/project/${project}/default`, "succeeded"],
      [`/ui/pods/project/${project}/broken`, "no such image"],
      ["/ui/jobs", done.slice(0, 8)],
      [`/ui/jobs/${done}`, "complete"],
      [`/ui/jobs/${gone}`, "no need"],
      ["/ui/jobs/none", "there is no job"],
    ] as const) {
      await page.goto(`${show.scene.url}${path}`);
      await page.getByText(text).first().waitFor();
      expect([path, await faults(page)]).toEqual([path, []]);
    }
    await page.goto(`${show.scene.url}/ui/jobs/${live}`);
    await page.getByRole("button", { name: "Cancel…" }).click();
    expect(await faults(page)).toEqual([]);
  },
  180_000,
);

it("everything is reached and done by the keyboard, and one sees where one is", async () => {
  const id = await show.exec("keys");
  const { page } = await show.open();
  await page.goto(`${show.scene.url}/ui/jobs/${id}`);
  await page.locator("#token:focus").waitFor();
  await page.keyboard.type(show.token);
  await page.keyboard.press("Enter");
  await page.getByText("live", { exact: true }).waitFor();
  const seen: string[] = [];
  for (let n = 0; n < 20 && !seen.includes("region Output"); n += 1) {
    await page.keyboard.press("Tab");
    seen.push(
      String(
        await page.evaluate(`(() => {
          const one = document.activeElement;
          const outline = getComputedStyle(one).outlineStyle;
          const name = one.getAttribute("role") === "region" ? "region Output" : one.getAttribute("aria-label") ?? one.labels?.[0]?.textContent.trim() ?? one.textContent.trim();
          return outline === "none" ? name + " (unseen)" : name;
        })()`),
      ),
    );
  }
  expect(seen).toEqual([
    "Skip to the content",
    "podq",
    "Pods",
    "Jobs",
    "Queue",
    "Sign out",
    "Jobs",
    "Cancel…",
    "project/keys",
    "Follow",
    "Wrap",
    "Download stdout",
    "Download stderr",
    "region Output",
  ]);
  await page.getByRole("button", { name: "Cancel…" }).focus();
  await page.keyboard.press("Enter");
  await page.getByRole("dialog").waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "hidden" });
  await page.keyboard.press("Enter"); // the focus is where it was
  await page.getByLabel("Reason").focus();
  await page.keyboard.press("Enter");
  await page.getByRole("status").getByText("cancelled").waitFor();
}, 60_000);
