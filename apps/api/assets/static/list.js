import { ask } from "./api.js";
import { html, nothing } from "./lit-html.js";
import { draw, keepShowing, title } from "./page.js";
import { filled } from "./words.js";

/**
 * What a page of records lists: `what` they are called, `one` of them, where the page is and where they come from, the field that has a
 * few values only, further fields of the filter, what leads to the next page, what to say while there is none, and how they are drawn.
 * @typedef {{
 *   what: string, one: string, page: string, from: string, choice: { name: string, label: string, values: string[] },
 *   fields?: (value: (name: string) => string) => unknown, further: string, none: unknown,
 *   body: (items: any[], none: unknown) => unknown,
 * }} List
 */

/** Records that the one who asks may see, with a form that filters them. @param {import("./api.js").Me} me @param {List} list */
export async function showList(me, { what, one, page, from, choice, fields, further, none, body }) {
  title(what);
  const given = new URLSearchParams(location.search);
  const value = (/** @type {string} */ name) => given.get(name) ?? "";
  const query = filled(given);
  await keepShowing(async () => {
    const { items, next } = await ask(`${from}${query}`);
    const more = new URLSearchParams(query);
    more.set("cursor", next ?? "");
    draw(html`
      <div class="head">
        <h1>${what}</h1>
        <p class="count">${items.length}${next === null ? "" : "+"}${query === "" ? "" : " found"}</p>
      </div>
      <form class="filters" role="search" aria-label="Filter ${what.toLowerCase()}" action=${page}>
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
          >${choice.label}
          <select name=${choice.name}>
            <option value="">any</option>
            ${choice.values.map((text) => html`<option ?selected=${text === value(choice.name)}>${text}</option>`)}
          </select>
        </label>
        ${fields?.(value)}
        <span class="buttons"><button>Filter</button>${query === "" ? nothing : html`<a href=${page}>Clear</a>`}</span>
      </form>
      ${body(
        items,
        query === ""
          ? html`<h2>No ${one}s yet</h2>
              <p>${none}</p>`
          : html`<h2>No ${one} is like that</h2>
              <p><a href=${page}>Show all of them</a></p>`,
      )}
      ${next === null ? nothing : html`<p class="more"><a href="${page}?${more}">${further}</a></p>`}
    `);
  }, 3_000);
}
