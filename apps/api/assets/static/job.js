import { ask, post, Refused } from "./api.js";
import { html, nothing, render } from "./lit-html.js";
import { showOutput } from "./output.js";
import { draw, inWords, keepShowing, say, title } from "./page.js";
import { age, duration, facts, jobPill, labels, podLink } from "./parts.js";
import { bytes } from "./words.js";

const ends = new Set(["succeeded", "failed", "cancelled", "lost"]);

/** One job: where it stands, what came of it, and its output as it comes. @param {import("./api.js").Me} me @param {string} id */
export async function showJob(me, id) {
  const path = `/v1/jobs/${encodeURIComponent(id)}`;
  const top = document.createElement("div");
  const output = document.createElement("section");
  /** @type {string | null} */
  let state = null;
  const never = new Promise(() => {});
  /** Resolves when the output has ended, which is when the job has. @type {Promise<unknown>} */
  let over = never;
  await keepShowing(async () => {
    const job = await ask(path);
    if (state === null) {
      draw([top, output]);
      if (job.kind === "exec") over = showOutput(output, id).then(() => void (over = never));
    }
    state = job.state;
    title(`${job.kind} ${state}`);
    render(view(job, me.scope !== "read"), top);
    if (!ends.has(job.state)) await Promise.race([over, new Promise((resolve) => setTimeout(resolve, 1_000))]);
    return ends.has(job.state);
  }, 0);
}

/** @param {any} job @param {boolean} mayCancel */
const view = (job, mayCancel) => html`
  <p class="path"><a href="/ui/jobs">Jobs</a></p>
  <div class="head">
    <h1>${job.kind} <code>${job.id}</code></h1>
    <span role="status" aria-live="polite">${jobPill(job.state)}</span>
    ${
      !mayCancel || ends.has(job.state)
        ? nothing
        : html`<button class="danger" aria-haspopup="dialog" @click=${() => dialog()?.showModal()}>Cancel…</button>`
    }
  </div>
  ${job.error === null ? nothing : html`<p class="failure"><strong class="code">${job.error.code}</strong> ${job.error.message}</p>`}
  ${facts([
    ["Pod", podLink(job)],
    ["Before it in line", job.state === "queued" ? job.position : null],
    ["Exit code", job.result?.exitCode === undefined ? null : exit(job.result)],
    ["Asked for", html`${age(job.createdAt)} ago`],
    [ends.has(job.state) ? "Took" : "Running for", job.startedAt === null ? null : duration(job)],
    ["Attempts", job.attempts.length > 1 ? attempts(job.attempts) : null],
    ["Wrote", job.result?.stdoutBytes === undefined ? null : wrote(job.result)],
    ["Weaker", job.result?.weaker?.join("; ")],
    ["Again of", job.retryOf === null ? null : html`<a href="/ui/jobs/${encodeURIComponent(job.retryOf)}"><code>${job.retryOf}</code></a>`],
    ["Webhook", job.callback === null ? null : webhook(job.callback)],
    ["Labels", Object.keys(job.labels).length === 0 ? null : labels(job.labels)],
  ])}
  <dialog aria-labelledby="cancel-title">
    <form method="dialog" @submit=${() => cancel(job.id)}>
      <h2 id="cancel-title">Cancel this ${job.kind}?</h2>
      <p>
        ${job.kind === "exec" ? "Its command is ended, with all that it has started." : "What is under way is ended; what is done stays done."}
      </p>
      <label>Reason <input name="reason" maxlength="1000" autocomplete="off" /></label>
      <p class="buttons">
        <button type="button" @click=${() => dialog()?.close()}>Let it run</button><button class="danger">Cancel it</button>
      </p>
    </form>
  </dialog>
`;

const dialog = () => document.querySelector("dialog");

/** @param {any} result */
const exit = ({ exitCode, signal }) =>
  exitCode === null
    ? "unknown"
    : html`<strong class=${exitCode === 0 ? "good" : "bad"}>${exitCode}</strong>${signal === null ? nothing : ` (${signal})`}`;

/** @param {any} result */
const wrote = ({ stdoutBytes, stderrBytes, truncated, atLeast }) =>
  `${atLeast ? "at least " : ""}${bytes(stdoutBytes)} to stdout, ${bytes(stderrBytes)} to stderr${truncated ? "; not all of it was kept" : ""}`;

/** @param {any} callback */
const webhook = ({ state, tries }) => `${state}, ${tries === 1 ? "1 try" : `${tries} tries`}`;

/** @param {any[]} all */
const attempts = (all) =>
  html`<ol>
    ${all.map(({ worker, why }) => html`<li>${worker}${why === null ? nothing : `: ${why}`}</li>`)}
  </ol>`;

/** @param {string} id */
async function cancel(id) {
  const reason = dialog()?.querySelector("input")?.value.trim() ?? "";
  try {
    await post(`/v1/jobs/${encodeURIComponent(id)}/cancel`, reason === "" ? {} : { reason });
  } catch (error) {
    say(error instanceof Refused ? `It was not cancelled: ${error.message}` : inWords(error));
  }
}
