import { ask } from "./api.js";
import { html, nothing } from "./lit-html.js";
import { draw, keepShowing, title } from "./page.js";
import { age, labels, pill, podLink, table } from "./parts.js";
import { filled, hearsSession, webAddress } from "./words.js";

const statuses = ["created", "running", "stopped", "error", "deleting", "deleted"];

/** A link to what a pod serves; its address alone where following it would give the session away. @param {any} pod */
export function accessLink({ service: { accessUrl } }) {
  const address = webAddress(accessUrl);
  if (address === null) return html`<span class="none">–</span>`;
  const shown = address.replace(/^https?:\/\//, "");
  return hearsSession(address, location.hostname)
    ? html`<span class="out">${shown}</span> <span class="hint">No link: under the name of this page, it would be sent your session</span>`
    : html`<a class="out" href=${address} target="_blank" rel="noopener noreferrer">${shown}</a>`;
}

/** The pods that the one who asks may see. @param {import("./api.js").Me} me */
export async function showPods(me) {
  title("Pods");
  const given = new URLSearchParams(location.search);
  const value = (/** @type {string} */ name) => given.get(name) ?? "";
  const query = filled(given);
  await keepShowing(async () => {
    const { items, next } = await ask(`/v1/pods${query}`);
    const more = new URLSearchParams(query);
    more.set("cursor", next ?? "");
    draw(html`
      <div class="head">
        <h1>Pods</h1>
        <p class="count">${items.length}${next === null ? "" : "+"}${query === "" ? "" : " found"}</p>
      </div>
      <form class="filters" role="search" aria-label="Filter pods" action="/ui">
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
          >Status
          <select name="status">
            <option value="">any</option>
            ${statuses.map((one) => html`<option ?selected=${one === value("status")}>${one}</option>`)}
          </select>
        </label>
        <label>Host <input name="host" placeholder="any" .defaultValue=${value("host")} /></label>
        <label
          >Label <input name="label" placeholder="team=blue" pattern="[^=]+=.*" title="KEY=VALUE" .defaultValue=${value("label")}
        /></label>
        <span class="buttons"><button>Filter</button>${query === "" ? nothing : html`<a href="/ui">Clear</a>`}</span>
      </form>
      ${table(
        "Pods",
        ["Pod", "Status", "Host", "Image", "Age", "Access"],
        items.map((/** @type {any} */ pod) => [
          html`${podLink(pod)}${labels(pod.labels)}`,
          html`${pill(pod.status)}${pod.error === null ? nothing : html`<span class="code" title=${pod.error.message}>${pod.error.code}</span>`}`,
          pod.host.name,
          html`<span class="image">${pod.image}</span>`,
          age(pod.createdAt),
          accessLink(pod),
        ]),
        query === ""
          ? html`<h2>No pods yet</h2>
              <p><code>podq create --project p1</code> makes the first one.</p>`
          : html`<h2>No pod is like that</h2>
              <p><a href="/ui">Show all of them</a></p>`,
      )}
      ${next === null ? nothing : html`<p class="more"><a href="/ui?${more}">Further pods</a></p>`}
    `);
  }, 3_000);
}
