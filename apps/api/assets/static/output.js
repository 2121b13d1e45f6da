import { Refused } from "./api.js";
import { follow } from "./follow.js";
import { html, render } from "./lit-html.js";
import { inWords } from "./page.js";
import { Screen } from "./screen.js";

/**
 * Shows what a job's command writes, as it writes it. Resolves when there will be no more.
 * @param {HTMLElement} section @param {string} id @returns {Promise<void>}
 */
export async function showOutput(section, id) {
  const path = `/v1/jobs/${encodeURIComponent(id)}/output?stream=`;
  render(
    html`
      <div class="head">
        <h2 id="output-title">Output</h2>
        <p class="live" role="status"></p>
        <span class="tools">
          <label><input type="checkbox" id="follow" checked />Follow</label>
          <label
            ><input
              type="checkbox"
              id="wrap"
              checked
              @change=${(/** @type {Event} */ { target }) => view.classList.toggle("wrap", /** @type {HTMLInputElement} */ (target).checked)}
            />Wrap</label
          >
          <a href="${path}stdout" download="${id}.stdout" aria-label="Download stdout">↓ stdout</a>
          <a href="${path}stderr" download="${id}.stderr" aria-label="Download stderr">↓ stderr</a>
        </span>
      </div>
      <p class="hint dropped" hidden>Only the last lines are shown; the links have all that was kept.</p>
      <div class="output wrap" tabindex="0" role="region" aria-labelledby="output-title"></div>
    `,
    section,
  );
  const find = (/** @type {string} */ what) => /** @type {HTMLElement} */ (section.querySelector(what));
  const view = find(".output");
  const followed = /** @type {HTMLInputElement} */ (find("#follow"));
  const dropped = find(".dropped");
  const screen = new Screen(view, () => (dropped.hidden = false));
  const toEnd = () => {
    if (followed.checked) view.scrollTop = view.scrollHeight;
  };
  followed.addEventListener("change", toEnd);
  view.addEventListener("scroll", () => (followed.checked = view.scrollTop + view.clientHeight >= view.scrollHeight - 8));
  await run(screen, id, find(".live"), toEnd);
}

/** @param {Screen} screen @param {string} id @param {HTMLElement} live @param {() => void} toEnd */
async function run(screen, id, live, toEnd) {
  const draw = sparingly(() => {
    screen.flush();
    toEnd();
  });
  let any = false;
  try {
    live.textContent = "live";
    const cut = (/** @type {boolean} */ is) => (live.textContent = is ? "cut off; trying again" : "live");
    for await (const { stream, bytes, gap, restarted } of follow(id, cut)) {
      if (restarted) {
        screen.clear();
        screen.note("The command was started anew.");
      }
      if (gap) screen.note(`${gap.to - gap.from} bytes of ${stream} were not kept`);
      screen.write(stream, bytes);
      any = true;
      draw();
    }
    if (!any) screen.note("It wrote nothing.");
    await drawn();
    live.textContent = "complete";
  } catch (error) {
    live.textContent = error instanceof Refused ? error.message : inWords(error);
  }
  screen.flush();
  toEnd();
}

const drawn = () => new Promise((resolve) => requestAnimationFrame(resolve));

// Draws soon after it is asked to, and never for more than a fifth of the time, so that a flood is read as fast as it comes.
/** @param {() => void} draw @returns {() => void} */
function sparingly(draw) {
  let asked = false;
  let restMs = 0;
  const turn = async () => {
    await new Promise((resolve) => setTimeout(resolve, restMs));
    await drawn();
    asked = false;
    const began = performance.now();
    draw();
    restMs = Math.min(1_000, 4 * (performance.now() - began));
  };
  return () => {
    if (!asked) void turn();
    asked = true;
  };
}
