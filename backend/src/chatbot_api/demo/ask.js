// Asks the service one question: posts it, hands the events on, and turns every way to fail into a problem the reader understands.

import { readEvents } from "./sse.js";

const SILENCE_S = 45;

/** A failure to show: {title, detail, retryable, retry_after, request_id}. */
export class Problem extends Error {
  constructor(problem) {
    super(problem.title);
    this.shown = problem;
  }
}

const OFFLINE = { title: "You are offline", detail: "Your device has no network connection. Try again when it is back.", retryable: true };
const UNREACHABLE = { title: "The service can't be reached", detail: "The question did not get through. Try again in a moment.", retryable: true };
const CUT = { title: "The answer broke off", detail: "The connection closed before the answer was complete.", retryable: true };
const SILENT = { title: "The service went silent", detail: `Nothing came for ${SILENCE_S} seconds.`, retryable: true };

/** The header by which the service knows its visitors apart, and the name it is kept under: the tab's, gone with it. */
const VISITOR = "X-Visitor-Id";

/** Every event of the answer; the last is `done`. Throws Problem for all else, and AbortError when `signal` stops it. */
export async function* ask(question, conversationId, signal) {
  const silence = new AbortController();
  let timer = 0;
  const alive = () => {
    clearTimeout(timer);
    timer = setTimeout(() => silence.abort(), SILENCE_S * 1000);
  };
  alive();
  try {
    const response = await post(question, conversationId, AbortSignal.any([signal, silence.signal]));
    for await (const { data } of readEvents(response.body, alive)) {
      const event = parsed(data);
      if (event.type === "error") throw new Problem({ ...CUT, ...event.problem });
      yield event;
      if (event.type === "done") return;
    }
    throw new Problem(CUT);
  } catch (error) {
    if (error instanceof Problem) throw error;
    signal.throwIfAborted();
    if (silence.signal.aborted) throw new Problem(SILENT);
    if (error instanceof TypeError) throw new Problem(navigator.onLine ? CUT : OFFLINE);
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

async function post(question, conversationId, signal) {
  const body = { query: question };
  if (conversationId) body.conversation_id = conversationId;
  const headers = { "Content-Type": "application/json", Accept: "text/event-stream" };
  const visitor = sessionStorage.getItem(VISITOR);
  if (visitor) headers[VISITOR] = visitor;
  let response;
  try {
    response = await fetch("/chat/stream", { method: "POST", headers, body: JSON.stringify(body), signal });
  } catch (error) {
    if (error instanceof TypeError) throw new Problem(navigator.onLine ? UNREACHABLE : OFFLINE);
    throw error;
  }
  const given = response.headers.get(VISITOR);
  if (given) sessionStorage.setItem(VISITOR, given);
  if (!response.ok) throw new Problem(await refusal(response));
  if (!response.headers.get("Content-Type")?.startsWith("text/event-stream")) throw new Problem(CUT);
  return response;
}

async function refusal(response) {
  const told = response.headers.get("Content-Type")?.includes("json") ? await response.json().catch(() => ({})) : {};
  const asked = Number.parseInt(response.headers.get("Retry-After") ?? "", 10);
  return {
    title: typeof told.title === "string" ? told.title : "The service failed to answer",
    detail: typeof told.detail === "string" ? told.detail : `It replied with status ${response.status}.`,
    retryable: told.retryable ?? (response.status === 429 || response.status >= 500),
    retry_after: told.retry_after ?? (Number.isNaN(asked) ? null : asked),
    request_id: told.request_id ?? response.headers.get("X-Request-ID"),
  };
}

function parsed(data) {
  try {
    return JSON.parse(data);
  } catch {
    throw new Problem(CUT);
  }
}
