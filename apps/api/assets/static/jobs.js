import { ask } from "./api.js";
import { html, nothing } from "./lit-html.js";
import { draw, keepShowing, title } from "./page.js";
import { jobTable } from "./parts.js";
import { filled } from "./words.js";

const states = ["queued", "running", "succeeded", "failed", "cancelled", "lost"];

/** The jobs that the one who asks may see, newest first. @param {import("./api.js").Me} me */
export async function showJobs(me) {
  title("Jobs");
  const given = new URLSearchParams(location.search);
  const value = (/** @type {string} */ name) => given.get(name) ?? "";
  const query = filled(given);
  await keepShowing(async () => {
    const { items, next } = await ask(`/v1/jobs${query}`);
    const more = new URLSearchParams(query);
    more.set("cursor", next ?? "");
    draw(html`
      <div class="head">
        <h1>Jobs</h1>
        <p class="count">${items.length}${next === null ? "" : "+"}${query === "" ? "" : " found"}</p>
      </div>
      <form class="filters" role="search" aria-label="Filter jobs" action="/ui/jobs">
        <label
          >Owner
          <input
            name="owner"
            list="owners"
            placeholder="project/p1"
            pattern="(project|conversation)/.+"
            title="project/ID or conversation/ID"
            .defaultValue=${value("owner")}
          />
        </label>
        <datalist id="owners">${(me.owners ?? []).map((owner) => html`<option value=${owner}></option>`)}</datalist>
        <label
          >State
          <select name="state">
            <option value="">any</option>
            ${states.map((one) => html`<option ?selected=${one === value("state")}>${one}</option>`)}
          </select>
        </label>
        <span class="buttons"><button>Filter</button>${query === "" ? nothing : html`<a href="/ui/jobs">Clear</a>`}</span>
      </form>
      ${jobTable(
        items,
        true,
        query === ""
          ? html`<h2>No jobs yet</h2>
              <p>They are kept for a while after their end, then removed.</p>`
          : html`<h2>No job is like that</h2>
              <p><a href="/ui/jobs">Show all of them</a></p>`,
      )}
      ${next === null ? nothing : html`<p class="more"><a href="/ui/jobs?${more}">Older jobs</a></p>`}
    `);
  }, 3_000);
}
