import { ask } from "./api.js";
import { showJob } from "./job.js";
import { showJobs } from "./jobs.js";
import { keepShowing } from "./page.js";
import { showPod } from "./pod.js";
import { showPods } from "./pods.js";

/** @typedef {import("./api.js").Me} Me */

const find = (/** @type {string} */ what) => /** @type {HTMLElement} */ (document.querySelector(what));

const [, , area = "pods", ...rest] = location.pathname.split("/").map(decodeURIComponent);

/** @type {Me | undefined} */
let me;
await keepShowing(async () => {
  me = await ask("/ui/me");
  return true;
}, 2_000);

if (me !== undefined) {
  dress(me);
  await show(me);
}

/** What the frame of every page says of who looks. @param {Me} me */
function dress({ token, label, scope, owners }) {
  find("#queue").hidden = scope !== "admin" || owners !== null;
  find("#out").hidden = token === null;
  find("#me").textContent = `${label ?? token ?? ""} (${scope})`;
  find("#me").title = owners === null ? "not bound to owners" : owners.join(", ");
  find(`nav [data-area=${area === "jobs" ? "jobs" : "pods"}]`).setAttribute("aria-current", rest.length === 0 ? "page" : "true");
}

/** @param {Me} me */
async function show(me) {
  const [first = "", second = "", third = "default"] = rest;
  if (area === "jobs") return first === "" ? showJobs(me) : showJob(me, first);
  return first === "" ? showPods(me) : showPod(first, second, third);
}
