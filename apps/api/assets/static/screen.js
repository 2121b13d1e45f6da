import { AnsiReader } from "./ansi.js";

/** @typedef {import("./ansi.js").Span} Span */
/** @typedef {{ stream: string, spans: Span[], length: number }} Line */

const mostLines = 5_000;
const longestLine = 4_096;

/** Shows the end of what a command writes, line by line, as much as a browser can hold; told on `onDrop` when the beginning goes. */
export class Screen {
  /** @type {Map<string, { reader: AnsiReader, decoder: TextDecoder, line: Line | null, returned: boolean }>} */
  #streams = new Map();
  /** @type {Line[]} */
  #fresh = [];
  /** Lines that are shown and were written to since. @type {Set<Line>} */
  #changed = new Set();
  /** @type {Map<Line, HTMLElement>} */
  #shown = new Map();
  #root;
  #onDrop;

  /** @param {HTMLElement} root @param {() => void} onDrop */
  constructor(root, onDrop) {
    this.#root = root;
    this.#onDrop = onDrop;
  }

  /** @param {string} stream @param {Uint8Array} data */
  write(stream, data) {
    let state = this.#streams.get(stream);
    if (state === undefined) {
      state = { reader: new AnsiReader(), decoder: new TextDecoder(), line: null, returned: false };
      this.#streams.set(stream, state);
    }
    for (const span of state.reader.read(state.decoder.decode(data, { stream: true })))
      for (const piece of span.text.split(/(\r?\n|\r)/)) {
        if (piece === "\r") state.returned = true;
        else if (piece.endsWith("\n")) {
          state.line ??= this.#begin(stream);
          state.line = null;
          state.returned = false;
        } else if (piece !== "") {
          if (state.line !== null && state.line.length > longestLine) state.line = null;
          state.line ??= this.#begin(stream);
          if (state.returned) [state.line.spans.length, state.line.length, state.returned] = [0, 0, false]; // as a progress bar does
          state.line.spans.push({ ...span, text: piece });
          state.line.length += piece.length;
          if (this.#shown.has(state.line)) this.#changed.add(state.line);
        }
      }
  }

  /** A line of podq's own: what is missing, or void. @param {string} text */
  note(text) {
    const line = this.#begin("note");
    line.spans.push({ text, classes: [], color: null, background: null });
  }

  /** Empties it: a command was begun anew. */
  clear() {
    this.#streams.clear();
    this.#fresh = [];
    this.#changed.clear();
    this.#shown.clear();
    this.#root.replaceChildren();
  }

  /** Puts into the page what was written since. */
  flush() {
    for (const line of this.#changed) this.#draw(line);
    this.#changed.clear();
    const fresh = this.#fresh.slice(-mostLines); // the others would be gone at once
    if (fresh.length < this.#fresh.length) this.#onDrop();
    this.#fresh = [];
    const nodes = fresh.map((line) => this.#draw(line));
    this.#root.append(...nodes);
    let dropped = this.#root.childElementCount - mostLines;
    for (const line of this.#shown.keys()) {
      if (dropped-- <= 0) break;
      this.#shown.get(line)?.remove();
      this.#shown.delete(line);
      this.#onDrop();
    }
  }

  /** @param {string} stream @returns {Line} */
  #begin(stream) {
    const line = { stream, spans: [], length: 0 };
    this.#fresh.push(line);
    if (this.#fresh.length > 2 * mostLines) {
      this.#fresh.splice(0, mostLines);
      this.#onDrop();
    }
    return line;
  }

  /** @param {Line} line @returns {HTMLElement} */
  #draw(line) {
    const element = this.#shown.get(line) ?? document.createElement("div");
    element.className = `line ${line.stream}`;
    element.replaceChildren(...line.spans.map(elementOf));
    this.#shown.set(line, element);
    return element;
  }
}

/** @param {Span} span @returns {Node} */
function elementOf({ text, classes, color, background }) {
  if (classes.length === 0 && color === null && background === null) return document.createTextNode(text);
  const element = document.createElement("span");
  element.textContent = text;
  element.className = classes.join(" ");
  if (color !== null) element.style.color = color;
  if (background !== null) element.style.backgroundColor = background;
  return element;
}
