// Turns what the service sent into the words of types.ts. A field that is missing or of another kind gets its empty value.

import type {ChatEvent, Citation, Ending, Outcome, SearchedScope, Source} from './types';

type Fields = Record<string, unknown>;

/** An event of the stream; null for one of a kind the widget does not know. */
export function eventOf(data: unknown): ChatEvent | null {
  const given = fields(data);
  switch (given.type) {
    case 'start':
      return {type: 'start', conversation_id: text(given.conversation_id), message_id: text(given.message_id)};
    case 'status':
      return {type: 'status', stage: text(given.stage)};
    case 'sources':
      return {type: 'sources', sources: sources(given.sources), nearest: sources(given.nearest)};
    case 'delta':
      return {type: 'delta', text: text(given.text)};
    case 'done':
      return {type: 'done', ...ending(given)};
    default:
      return null;
  }
}

/** The events of a reply that came as a whole, as JSON. */
export function eventsOf(reply: unknown): ChatEvent[] {
  const given = fields(reply);
  return [
    {type: 'start', conversation_id: text(given.conversation_id), message_id: text(given.message_id)},
    {type: 'delta', text: text(given.response)},
    {type: 'done', ...ending(given)},
  ];
}

function ending(given: Fields): Ending {
  const outcome = given.outcome;
  const known: Outcome = outcome === 'not_in_docs' || outcome === 'degraded' ? outcome : 'answered';
  return {
    outcome: known,
    degraded: list(given.degraded).filter((part) => typeof part === 'string'),
    mode: text(given.mode),
    finish_reason: text(given.finish_reason),
    citations: list(given.citations)
      .map(citation)
      .filter((one) => one !== null),
    // A refusal never carries sources, whatever came.
    sources: known === 'not_in_docs' ? [] : sources(given.sources),
    nearest: sources(given.nearest),
    scope: scope(given.scope),
    understood_as: text(given.understood_as) || null,
  };
}

function sources(value: unknown): Source[] {
  return list(value).map((one) => {
    const given = fields(one);
    const title = text(given.title) || text(given.page_title);
    const path = list(given.heading_path).filter((part) => typeof part === 'string');
    return {
      id: text(given.id),
      title,
      heading_path: path.length ? path : [title],
      url: text(given.url),
      snippet: text(given.snippet),
      version: text(given.version) || null,
      locale: text(given.locale) || null,
    };
  });
}

function citation(value: unknown): Citation | null {
  const {source_id, start, end} = fields(value);
  const whole = typeof start === 'number' && typeof end === 'number' && start >= 0 && end > start;
  return whole ? {source_id: text(source_id), start, end} : null;
}

function scope(value: unknown): SearchedScope {
  const given = fields(value);
  return {version: text(given.version) || null, locale: text(given.locale) || null, widened: given.widened === true};
}

const fields = (value: unknown): Fields => (typeof value === 'object' && value !== null ? (value as Fields) : {});
const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);
const text = (value: unknown): string => (typeof value === 'string' ? value : '');
