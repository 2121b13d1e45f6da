// What the pages must not do: run what others wrote, show what is not one's own, or act for somebody who may not.
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { noBrowser, openShow, type Show } from "./testing.ts";

let show: Show;
beforeAll(async () => {
  if (noBrowser === null) show = await openShow();
});
afterAll(async () => show?.[Symbol.asyncDispose]());
beforeEach((test) => test.skip(noBrowser !== null, noBrowser ?? ""));

const markup = `"><img src=x onerror="window.hurt=1"><script>window.hurt=1</script>\${window.hurt=1}`;

it("markup in names, labels, errors and output is text, and an address that is a script is no link", async () => {
  const seed = { labels: { note: markup }, image: markup };
  await show.pod({ project: "hostile" }, { ...seed, status: "running", url: "javascript:window.hurt=1" });
  await show.pod({ project: "hostile" }, { ...seed, name: "second", status: "error", error: markup });
  const id = await show.exec("hostile");
  const running = await show.run(id);
  const link = "\u001b]8;;javascript:window.hurt=1\u0007press me\u001b]8;;\u0007";
  const title = "\u001b]0;window.hurt=1\u0007";
  await running.write(
    "stdout",
    `${markup}\n\u001b[31m${markup}\u001b[0m\n${link}\n${title}\u001b[2J\u001b[999;999H\u001b[38;5;1"onclick=hurt()mend\n`,
  );
  await running.write("stderr", `${markup}\u202e\u0000\u0007\u001b[`);
  const { page, wrong } = await show.open();
  await show.signIn(page, "/ui?owner=project%2Fhostile");
  await page.getByText(`note=${markup}`).first().waitFor();
  expect(await page.getByRole("row", { name: "second" }).getByText("image-not-found").count()).toBe(1);
  expect(await page.locator("[href^='javascript' i]").count()).toBe(0);
  await page.goto(`${show.scene.url}/ui/pods/project/hostile/second`);
  await page.getByText(markup).first().waitFor();
  await page.goto(`${show.scene.url}/ui/jobs/${id}`);
  await page.getByText("end", { exact: false }).last().waitFor();
  expect(await page.locator(".line").first().textContent()).toBe(markup);
  expect(await page.locator(".line .ansi-red-fg").first().textContent()).toBe(markup);
  expect(await page.getByText("press me").count()).toBe(1);
  expect(await page.locator(".output").evaluate((one) => one.querySelectorAll("a, img, script, [onclick]").length)).toBe(0);
  expect(await page.locator("main img, main script").count()).toBe(0);
  expect(await page.evaluate("window.hurt")).toBeUndefined();
  expect(wrong).toEqual([]);
}, 120_000);

it("a pod that is served under the name of the pages is no link, since its server would be sent the session", async () => {
  await show.pod({ project: "near" }, { status: "running", url: show.scene.url.replace(/:\d+$/, ":31080") });
  await show.pod({ project: "near" }, { name: "far", status: "running", url: "http://10.20.0.4:31081" });
  const { page } = await show.open();
  await show.signIn(page, "/ui?owner=project%2Fnear");
  await page.getByRole("link", { name: "10.20.0.4:31081" }).waitFor();
  expect(await page.getByText("127.0.0.1:31080").count()).toBe(1);
  expect(await page.getByText("it would be sent your session").count()).toBe(1);
  expect(await page.locator("[href*='31080']").count()).toBe(0);
  await page.goto(`${show.scene.url}/ui/pods/project/near/default`);
  await page.getByText("127.0.0.1:31080").waitFor();
  expect(await page.locator("[href*='31080']").count()).toBe(0);
}, 60_000);

it("a script or a style in the page itself would not run", async () => {
  const { page } = await show.open();
  await show.signIn(page, "/ui");
  await page.getByRole("heading", { name: "Pods" }).waitFor();
  const tried = await page.evaluate(`(() => {
    try { document.body.insertAdjacentHTML("beforeend", "<img src=x onerror='window.hurt=1'>"); return "inserted"; } catch (error) { return error.name; }
  })()`);
  expect(tried).toBe("TypeError"); // trusted types
  await page.evaluate(`(() => {
    const script = document.createElement("script"); script.setAttribute("nonce", "x");
    const frame = document.createElement("iframe"); frame.src = "data:text/html,x"; document.body.append(frame);
  })()`);
  expect(await page.evaluate("window.hurt")).toBeUndefined();
}, 60_000);

it("what somebody may not see is not shown, and what he may not do is not offered", async () => {
  await show.pod({ project: "mine" }, { status: "running" });
  await show.pod({ project: "theirs" }, { status: "running" });
  const [mine, theirs] = [await show.exec("mine"), await show.exec("theirs")];
  const { page } = await show.open();
  await show.signIn(page, "/ui", await show.scene.token("read", ["project/mine"]));
  await page.getByRole("link", { name: "project/mine" }).waitFor();
  expect(await page.getByText("theirs").count()).toBe(0);
  expect(await page.getByRole("link", { name: "Queue" }).count()).toBe(0);
  await page.goto(`${show.scene.url}/ui/jobs/${mine}`);
  await page.getByText("live", { exact: true }).waitFor();
  expect(await page.getByRole("button", { name: "Cancel" }).count()).toBe(0);
  await page.goto(`${show.scene.url}/ui/jobs/${theirs}`);
  expect(await page.getByRole("alert").filter({ hasText: "there is no job" }).textContent()).toContain(theirs);
  await page.goto(`${show.scene.url}/ui/pods/project/theirs/default`);
  await page.getByRole("alert").filter({ hasText: "this token is not for project theirs" }).waitFor();
  expect((await page.goto(`${show.scene.url}/admin/queues`))?.status()).toBe(403);
}, 60_000);

it("a job is cancelled from its page after a question, by those who may", async () => {
  const id = await show.exec("ending");
  const { page, wrong } = await show.open();
  await show.signIn(page, `/ui/jobs/${id}`, await show.scene.token("run", ["project/ending"]));
  await page.getByRole("button", { name: "Cancel…" }).click();
  await page.getByRole("button", { name: "Let it run" }).click();
  expect(await page.getByRole("dialog").count()).toBe(0);
  expect((await show.scene.store.jobs.get(id))!.state).toBe("queued");
  await page.getByRole("button", { name: "Cancel…" }).click();
  await show.picture(page, "cancel-wide");
  await page.getByLabel("Reason").fill("no need");
  await page.keyboard.press("Enter");
  await page.getByRole("status").getByText("cancelled").waitFor();
  await page.getByText("no need").waitFor();
  expect(await page.getByRole("button", { name: "Cancel…" }).count()).toBe(0);
  expect(wrong).toEqual([]);
}, 60_000);

it("a page whose session has ended leads to the login, and one without the API says so until it is back", async () => {
  const { page } = await show.open();
  const token = await show.scene.token("read");
  await show.signIn(page, "/ui/jobs?state=lost", token);
  await page.getByText("No job is like that").waitFor();
  await page.context().setOffline(true);
  await page.getByRole("alert").filter({ hasText: "cannot be reached" }).waitFor();
  await page.context().setOffline(false);
  await page.getByRole("alert").filter({ hasText: "cannot be reached" }).waitFor({ state: "hidden" });
  await show.scene.store.tokens.revoke(token.split("_")[1]!);
  await page.waitForURL(`${show.scene.url}/login?next=%2Fui%2Fjobs%3Fstate%3Dlost`);
  await page.getByLabel("Token").fill("podq_wrong");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("alert").filter({ hasText: "There is no such token" }).waitFor();
  await show.picture(page, "login-wrong");
  await page.getByLabel("Token").fill(show.token);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.waitForURL(`${show.scene.url}/ui/jobs?state=lost`);
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.waitForURL(`${show.scene.url}/login`);
  await page.goto(`${show.scene.url}/ui`);
  expect(page.url()).toBe(`${show.scene.url}/login?next=%2Fui`);
}, 120_000);
