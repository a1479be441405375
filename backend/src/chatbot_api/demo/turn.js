// One question with its answer on the page: waiting, streaming text, sources, and each way it can end.

import { element, link } from "./dom.js";
import { renderMarkdown } from "./markdown.js";

const OUTCOMES = {
  answered: "Answered from the docs",
  not_in_docs: "Not in the docs",
  degraded: "Answered in part",
};
const PARTS = {
  dense: "Search by meaning was not available, so only the words were compared. Better sections may exist.",
  generation: "The language model was not available, so this quotes the passages that were found.",
  citations: "The answer could not be tied to single sources. These are the passages it was written from.",
  history: "The conversation could not be read or kept, so this answers the question by itself.",
};
const FINISHES = {
  length: "The answer was cut at its longest allowed length.",
  blocked: "The language model held its answer back.",
};

export class Turn {
  #sources = {};
  #text = "";
  #frame = 0;
  #ticking = 0;

  /** `onRetry`: asks the same question again in this place. */
  constructor(question, number, onRetry) {
    this.question = question;
    this.number = number;
    this.onRetry = onRetry;
    this.body = element("div", { class: "answer" });
    this.node = element(
      "li",
      { class: "turn" },
      element("h2", { class: "question" }, element("span", { class: "unseen" }, "You asked: "), question),
      this.body,
    );
    this.restart();
  }

  /** Empties the answer. */
  restart() {
    this.#sources = {};
    this.#text = "";
    this.#settle();
    this.progress = element("p", { class: "progress" }, element("span", { class: "dots", "aria-hidden": "true" }, element("i"), element("i"), element("i")));
    this.progress.append(element("span", {}, "Sending your question"));
    this.text = element("div", { class: "text" });
    this.lists = element("div", {});
    this.foot = element("div", { class: "foot" });
    this.body.replaceChildren(this.progress, this.text, this.lists, this.foot);
    this.body.classList.add("busy");
  }

  /** Says what the service is doing. */
  waiting(text) {
    this.progress.lastChild.textContent = text;
  }

  /** The passages found, before the answer is written from them. */
  found(sources) {
    this.#sources = byId(sources);
    this.lists.replaceChildren(sourceList("Passages found", sources, "ol"));
  }

  /** A piece of the answer. Drawn at most once a frame: pieces may come faster than a screen shows them. */
  add(text) {
    this.#text += text;
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#draw();
    });
  }

  /** The answer is complete; its own sources and nearest sections replace those shown before. Returns what to speak. */
  done(event, writer) {
    this.#settle();
    this.#sources = byId(event.sources ?? []);
    this.#draw();
    const meant = event.understood_as ? [`Understood as: ${event.understood_as}`] : [];
    const notes = [...meant, ...(event.degraded ?? []).map((part) => PARTS[part]), FINISHES[event.finish_reason]].filter(Boolean);
    const offered = event.outcome === "not_in_docs" ? (event.nearest ?? []) : [];
    this.lists.replaceChildren(
      notes.length ? element("ul", { class: "notes" }, ...notes.map((note) => element("li", {}, note))) : "",
      sourceList("Sources", event.sources ?? [], "ol"),
      sourceList("Closest sections", offered, "ul"),
    );
    const outcome = OUTCOMES[event.outcome] ?? "Answered";
    this.foot.append(element("span", { class: `badge ${OUTCOMES[event.outcome] ? event.outcome : ""}` }, outcome));
    if (event.outcome !== "not_in_docs") {
      this.foot.append(element("span", { class: "badge plain" }, event.mode === "generated" ? `Written by ${writer}` : "Quoted from the docs"));
    }
    if (event.outcome === "degraded") this.foot.append(this.#retryButton());
    const linked = (event.sources ?? []).length || offered.length;
    return `${outcome}. ${spoken(this.text)} ${notes.join(" ")} ${linked ? `${linked} linked ${linked === 1 ? "section" : "sections"}.` : ""}`;
  }

  /** The reader stopped the answer. */
  stopped() {
    this.#breakOff();
    this.foot.append(element("span", { class: "badge plain" }, "Stopped"), this.#retryButton());
  }

  /** The answer failed. `problem`: {title, detail, retryable, retry_after seconds, request_id}. Returns what to speak. */
  failed(problem) {
    this.#breakOff();
    const id = problem.request_id ? element("p", { class: "request" }, "Request ", element("code", {}, problem.request_id)) : null;
    this.foot.append(
      element("div", { class: "problem" }, element("p", {}, element("strong", {}, problem.title)), element("p", {}, problem.detail), id),
    );
    if (problem.retryable) this.foot.append(this.#retryButton(problem.retry_after));
    const incomplete = this.#text ? "The answer is incomplete." : "";
    return `${problem.title}. ${problem.detail} ${incomplete}`;
  }

  #breakOff() {
    this.#settle();
    this.#draw();
    if (this.#text) this.text.append(element("p", { class: "cut" }, "The answer ends here, incomplete."));
    else this.lists.replaceChildren();
  }

  #settle() {
    cancelAnimationFrame(this.#frame);
    clearInterval(this.#ticking);
    this.#frame = 0;
    this.progress?.remove();
    this.body.classList.remove("busy");
  }

  #draw() {
    this.text.replaceChildren(renderMarkdown(this.#text, this.#sources));
    if (this.#text) this.progress.remove();
  }

  #retryButton(seconds = 0) {
    const button = element("button", { type: "button", class: "retry" }, "Try again");
    const until = performance.now() + (seconds ?? 0) * 1000;
    const show = () => {
      const left = Math.ceil((until - performance.now()) / 1000);
      button.textContent = left > 0 ? `Try again in ${left} s` : "Try again";
      // Not `disabled`: a button that loses the focus throws a keyboard's reader back to the page's start.
      button.setAttribute("aria-disabled", String(left > 0));
      if (left <= 0) clearInterval(this.#ticking);
    };
    if (seconds > 0) {
      this.#ticking = setInterval(show, 250);
      show();
    }
    button.addEventListener("click", () => {
      if (button.getAttribute("aria-disabled") !== "true") this.onRetry(this);
    });
    return button;
  }
}

const byId = (sources) => Object.fromEntries(sources.map((source) => [source.id, source]));

function sourceList(title, sources, kind) {
  if (!sources.length) return "";
  const rows = sources.map((source) => {
    const path = source.heading_path?.length ? source.heading_path : [source.title];
    return element(
      "li",
      {},
      kind === "ol" ? element("span", { class: "number", "aria-hidden": "true" }, source.id) : element("span", { class: "number", "aria-hidden": "true" }, "→"),
      link(
        source.url,
        { class: "source" },
        element("span", { class: "unseen" }, kind === "ol" ? `Source ${source.id}: ` : ""),
        path.length > 1 ? element("span", { class: "path" }, `${path.slice(0, -1).join(" › ")} › `) : null,
        element("span", { class: "leaf" }, path.at(-1)),
        element("span", { class: "unseen" }, ", opens in a new tab"),
      ),
    );
  });
  return element("section", { class: "sources", "aria-label": title }, element("h3", { class: "small-title" }, title), element(kind, {}, ...rows));
}

function spoken(node) {
  const copy = node.cloneNode(true);
  for (const aside of copy.querySelectorAll("button, sup, .code-bar")) aside.remove();
  return copy.textContent;
}
