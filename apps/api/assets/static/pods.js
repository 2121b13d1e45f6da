import { showList } from "./list.js";
import { html, nothing } from "./lit-html.js";
import { age, labels, pill, podLink, table } from "./parts.js";
import { hearsSession, webAddress } from "./words.js";

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
  await showList(me, {
    what: "Pods",
    one: "pod",
    page: "/ui",
    from: "/v1/pods",
    choice: { name: "status", label: "Status", values: statuses },
    fields: (value) => html`
      <label>Host <input name="host" placeholder="any" .defaultValue=${value("host")} /></label>
      <label
        >Label <input name="label" placeholder="team=blue" pattern="[^=]+=.*" title="KEY=VALUE" .defaultValue=${value("label")}
      /></label>
    `,
    further: "Further pods",
    none: html`<code>podq create --project p1</code> makes the first one.`,
    body: (items, none) => table("Pods", ["Pod", "Status", "Seen", "Host", "Image", "Age", "Access"], items.map(rowOf), none),
  });
}

/** @param {any} pod */
function rowOf(pod) {
  return [
    html`${podLink(pod)}${labels(pod.labels)}`,
    html`${pill(pod.status)}${pod.error === null ? nothing : html`<span class="code" title=${pod.error.message}>${pod.error.code}</span>`}`,
    pod.observedAt === null ? html`<span class="none">–</span>` : age(pod.observedAt),
    pod.host.name,
    html`<span class="image">${pod.image}</span>`,
    age(pod.createdAt),
    accessLink(pod),
  ];
}
