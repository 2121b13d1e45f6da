import { html, nothing } from "./lit-html.js";
import { lapse, ownerText, podPath, took } from "./words.js";

/** A state in a word, with its colour. @param {string} state */
export const pill = (state) => html`<span class="pill ${state}">${state}</span>`;

/** The same of a job: one that runs is on its way, where a pod that runs is well. @param {string} state */
export const jobPill = (state) => html`<span class="pill ${state === "running" ? "working" : state}">${state}</span>`;

/** How long ago; the moment itself is in its title. @param {string | null} moment */
export const age = (moment) =>
  moment === null
    ? html`<span class="none">–</span>`
    : html`<time datetime=${moment} title=${new Date(moment).toLocaleString()}>${lapse(Date.now() - Date.parse(moment))}</time>`;

/** A pod's name, and whose it is, as a link. @param {any} pod */
export const podLink = (pod) =>
  html`<a class="name" href=${podPath(pod)}
    >${ownerText(pod.owner)}${pod.name === "default" ? nothing : html`<span>/${pod.name}</span>`}</a
  >`;

/** Labels, each in a frame. @param {Record<string, string>} all */
export const labels = (all) => Object.entries(all).map(([key, value]) => html`<span class="tag">${key}=${value}</span>`);

/** How long a job has been running, or took. @param {any} job */
export const duration = ({ startedAt, endedAt }) =>
  startedAt === null
    ? html`<span class="none">–</span>`
    : took((endedAt === null ? Date.now() : Date.parse(endedAt)) - Date.parse(startedAt));

/** Facts, each with its name. Those without a value are left out. @param {[string, unknown][]} all */
export const facts = (all) =>
  html`<dl class="facts">
    ${all.map(([name, value]) =>
      value === null || value === undefined || value === ""
        ? nothing
        : html`<div>
            <dt>${name}</dt>
            <dd>${value}</dd>
          </div>`,
    )}
  </dl>`;

/**
 * A table that becomes cards where there is no room for it: each cell says its column.
 * @param {string} caption @param {string[]} columns @param {unknown[][]} rows @param {unknown} empty
 */
export const table = (caption, columns, rows, empty) =>
  rows.length === 0
    ? html`<div class="empty">${empty}</div>`
    : html`<table>
        <caption class="unseen">
          ${caption}
        </caption>
        <thead>
          <tr>
            ${columns.map((column) => html`<th scope="col">${column}</th>`)}
          </tr>
        </thead>
        <tbody>
          ${rows.map(
            (row) =>
              html`<tr>
                ${row.map((cell, at) => html`<td data-column=${columns[at] ?? ""}>${cell}</td>`)}
              </tr>`,
          )}
        </tbody>
      </table>`;

/** The jobs of a list. @param {any[]} jobs @param {boolean} withPod @param {unknown} empty */
export const jobTable = (jobs, withPod, empty) =>
  table(
    "Jobs, newest first",
    ["Job", ...(withPod ? ["Pod"] : []), "State", "Age", "Took", "Error"],
    jobs.map((job) => [
      html`<a class="name" href="/ui/jobs/${encodeURIComponent(job.id)}">${job.kind} <code>${job.id.slice(0, 8)}</code></a>`,
      ...(withPod ? [podLink(job)] : []),
      jobPill(job.state),
      age(job.createdAt),
      duration(job),
      job.error === null ? html`<span class="none">–</span>` : html`<span class="code" title=${job.error.message}>${job.error.code}</span>`,
    ]),
    empty,
  );
