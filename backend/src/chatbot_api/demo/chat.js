// The chat page: takes questions, keeps the conversation, moves the focus, and tells assistive technology what happened.

import { Problem, ask } from "./ask.js";
import { element } from "./dom.js";
import { Turn } from "./turn.js";

const $ = (id) => document.getElementById(id);
const input = $("question");
const WRITERS = { gemini: "Gemini", offline: "the service" };

let config = { title: "the docs", provider: "", starters: [] };
let conversationId = null;
let stopper = null;
let asked = 0;

async function start() {
  $("form").addEventListener("submit", (event) => {
    event.preventDefault();
    submit();
  });
  input.addEventListener("keydown", (event) => {
    // Enter while a word is being composed (Japanese, Chinese) belongs to the composing.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    submit();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") stopper?.abort();
  });
  $("stop").addEventListener("click", () => stopper?.abort());
  $("fresh").addEventListener("click", fresh);
  if (!matchMedia("(pointer: coarse)").matches) input.focus({ preventScroll: true });
  try {
    const response = await fetch("/_demo/config.json");
    if (response.ok) configure({ ...config, ...(await response.json()) });
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof SyntaxError)) throw error;
    // Without its settings the page still asks and answers.
  }
}

function configure(settings) {
  config = settings;
  $("title").textContent = `Ask ${config.title}`;
  document.title = `Ask ${config.title}`;
  if (config.provider === "offline") {
    $("provider").textContent = "Offline mode: no language model is connected, so answers quote the documentation word for word.";
    $("provider").hidden = false;
  }
  if (config.docs) {
    $("docs").href = config.docs;
    $("docs").hidden = false;
  }
  $("starters").hidden = config.starters.length === 0;
  $("starters").lastElementChild.replaceChildren(
    ...config.starters.map((text) => element("li", {}, element("button", { type: "button", onclick: () => begin(text) }, text))),
  );
}

function submit() {
  const question = input.value.trim();
  if (!question || stopper) return;
  input.value = "";
  begin(question);
}

function begin(question) {
  if (stopper) return;
  document.body.classList.add("asked");
  $("fresh").hidden = false;
  asked += 1;
  const turn = new Turn(question, asked, retry);
  $("conversation").append(turn.node);
  answer(turn);
}

function retry(turn) {
  if (stopper) return;
  turn.restart();
  answer(turn);
}

async function answer(turn) {
  const mine = new AbortController();
  busy(mine);
  input.focus({ preventScroll: true });
  turn.node.scrollIntoView({ block: "start" });
  try {
    for await (const event of ask(turn.question, conversationId, mine.signal)) {
      show(turn, event);
    }
  } catch (error) {
    if (mine.signal.aborted) {
      turn.stopped();
      speak("Stopped.");
    } else if (error instanceof Problem) {
      speak(turn.failed(error.shown));
    } else {
      throw error;
    }
  } finally {
    if (stopper === mine) busy(null);
  }
}

function show(turn, event) {
  if (event.type === "start") conversationId = event.conversation_id;
  else if (event.type === "status") waiting(turn, event.text);
  else if (event.type === "sources") turn.found(event.sources);
  else if (event.type === "delta") turn.add(event.text);
  else if (event.type === "done") speak(turn.done(event, WRITERS[config.provider] ?? "the language model"));
}

function waiting(turn, text) {
  turn.waiting(text);
  $("status").textContent = text;
}

// Only whole answers are spoken: a live region that grows word by word reads out a stutter.
function speak(text) {
  $("status").textContent = "";
  $("spoken").replaceChildren(element("p", {}, text.replace(/\s+/g, " ").trim()));
}

function busy(controller) {
  const held = document.activeElement === $("stop") || document.activeElement === $("send");
  stopper = controller;
  $("send").hidden = controller !== null;
  $("stop").hidden = controller === null;
  if (held) input.focus({ preventScroll: true });
}

function fresh() {
  stopper?.abort();
  conversationId = null;
  $("conversation").replaceChildren();
  $("spoken").replaceChildren();
  $("fresh").hidden = true;
  document.body.classList.remove("asked");
  input.focus();
}

start();
