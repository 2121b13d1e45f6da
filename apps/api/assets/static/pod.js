import { ask } from "./api.js";
import { html, nothing } from "./lit-html.js";
import { draw, keepShowing, title } from "./page.js";
import { age, facts, jobTable, labels, pill } from "./parts.js";
import { accessLink } from "./pods.js";

/** One pod, and its jobs. @param {string} owner @param {string} id @param {string} name */
export async function showPod(owner, id, name) {
  const key = [owner, id, name].map(encodeURIComponent).join("/");
  const asked = new URLSearchParams({ owner: `${owner}/${id}`, name, limit: "50" });
  title(`${owner}/${id}`);
  await keepShowing(async () => {
    const [pod, { items, next }] = await Promise.all([
      // A pod that was asked for has jobs before it has a record.
      ask(`/v1/pods/${key}`).catch((error) => (error.status === 404 ? null : Promise.reject(error))),
      ask(`/v1/jobs?${asked}`),
    ]);
    draw(html`
      <p class="path"><a href="/ui">Pods</a></p>
      <div class="head">
        <h1>${owner}/${id}${name === "default" ? nothing : html`<span>/${name}</span>`}</h1>
        ${pod === null ? nothing : pill(pod.status)}
      </div>
      ${pod === null ? html`<p class="hint">There is no record of this pod${items.length > 0 ? " yet" : ""}.</p>` : details(pod)}
      <h2>Jobs</h2>
      ${jobTable(items, false, html`<p>Nothing was asked of this pod, or it is so long ago that it is no longer kept.</p>`)}
      ${next === null ? nothing : html`<p class="more"><a href="/ui/jobs?${new URLSearchParams({ owner: `${owner}/${id}`, name, cursor: next })}">Older jobs</a></p>`}
    `);
  }, 3_000);
}

/** @param {any} pod */
const details = (pod) => html`
  ${
    pod.error === null
      ? nothing
      : html`<p class="failure">
          <strong class="code">${pod.error.code}</strong> ${pod.error.message} <span class="hint">${age(pod.error.at)} ago</span>
        </p>`
  }
  ${facts([
    ["Access", pod.service.accessUrl === null ? null : accessLink(pod)],
    ["Image", html`<span class="image">${pod.image}</span>`],
    ["Template", pod.template && `${pod.template.name}@${pod.template.version}`],
    ["Host", `${pod.host.name} (${pod.host.address})`],
    ["Memory", `${pod.resources.memoryRequests} to ${pod.resources.memory}`],
    ["Processors", `${pod.resources.cpuRequests} to ${pod.resources.cpu}`],
    ["Age", age(pod.createdAt)],
    ["Running for", pod.status === "running" ? age(pod.startedAt) : null],
    ["Namespace", html`<code>${pod.namespace}</code>`],
    ["Generation", pod.generation],
    ["Asked otherwise", pod.differs.join(", ")],
    ["Labels", Object.keys(pod.labels).length === 0 ? null : labels(pod.labels)],
  ])}
`;
