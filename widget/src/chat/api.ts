// Asks the service: posts a question or a rating, hands the events on, and turns every way to fail into a ChatFailure.

import {ChatFailure, ownFailure, problemOf} from './problem';
import {eventOf, eventsOf} from './reading';
import {readEvents} from './sse';
import type {AskRequest, ChatEvent} from './types';

/** The header by which the service knows its visitors apart. */
const VISITOR = 'X-Visitor-Id';
/** The service sends a sign of life more often than that. */
const SILENCE_MS = 45_000;

export interface Endpoint {
  apiUrl: string;
  siteKey?: string | undefined;
  /** The visitor's id; kept by the caller, who is told of a new one. */
  visitor(): string | null;
  onVisitor(id: string): void;
}

/** Every event of the answer; the last is `done`. Throws ChatFailure for all else, and AbortError when `signal` stops it. */
export async function* ask(endpoint: Endpoint, request: AskRequest, signal: AbortSignal): AsyncGenerator<ChatEvent> {
  const own = new AbortController();
  const stop = () => own.abort();
  signal.addEventListener('abort', stop);
  let timer: ReturnType<typeof setTimeout> | undefined;
  const alive = () => {
    clearTimeout(timer);
    timer = setTimeout(stop, SILENCE_MS);
  };
  alive();
  try {
    signal.throwIfAborted();
    const reply = await post(endpoint, '/chat/stream', request, own.signal, 'text/event-stream');
    yield* events(reply, alive);
  } catch (error) {
    if (error instanceof ChatFailure) throw error;
    signal.throwIfAborted();
    if (own.signal.aborted) throw ownFailure('silent');
    // A TypeError is fetch's word for a network that failed.
    if (error instanceof TypeError) throw ownFailure(navigator.onLine ? 'cut' : 'offline');
    throw error;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', stop);
  }
}

/** Rates an answer; sent again, the rating is replaced. Throws ChatFailure. */
export async function rate(endpoint: Endpoint, messageId: string, rating: 'up' | 'down', comment?: string): Promise<void> {
  await post(endpoint, '/feedback', {message_id: messageId, rating, ...(comment ? {comment} : {})}, null, 'application/json');
}

async function* events(reply: Response, alive: () => void): AsyncGenerator<ChatEvent> {
  if (!reply.headers.get('Content-Type')?.startsWith('text/event-stream') || !reply.body) {
    yield* eventsOf(await json(reply));
    return;
  }
  for await (const {event: name, data} of readEvents(reply.body, alive)) {
    const told = parsed(data) as {type?: unknown; problem?: unknown};
    if ((told.type ?? name) === 'error') throw new ChatFailure(problemOf(told.problem, 0));
    const event = eventOf({type: name, ...told});
    if (event) yield event;
    if (event?.type === 'done') return;
  }
  throw ownFailure('cut');
}

async function post(
  endpoint: Endpoint,
  path: string,
  body: unknown,
  signal: AbortSignal | null,
  accept: string,
): Promise<Response> {
  const headers: Record<string, string> = {'Content-Type': 'application/json', Accept: accept};
  const visitor = endpoint.visitor();
  if (visitor) headers[VISITOR] = visitor;
  if (endpoint.siteKey) headers['X-Site-Key'] = endpoint.siteKey;
  let reply: Response;
  try {
    reply = await fetch(endpoint.apiUrl.replace(/\/+$/, '') + path, {
      method: 'POST',
      headers,
      body: JSON.stringify(body),
      signal,
    });
  } catch (error) {
    if (error instanceof TypeError) throw ownFailure(navigator.onLine ? 'unreachable' : 'offline');
    throw error;
  }
  const given = reply.headers.get(VISITOR);
  if (given) endpoint.onVisitor(given);
  if (!reply.ok) throw new ChatFailure(problemOf(await json(reply).catch(() => null), reply.status, reply.headers));
  return reply;
}

async function json(reply: Response): Promise<unknown> {
  return parsed(await reply.text());
}

function parsed(data: string): unknown {
  try {
    return JSON.parse(data);
  } catch {
    throw ownFailure('cut');
  }
}
