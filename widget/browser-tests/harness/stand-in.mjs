// A stand-in of the service that speaks its HTTP API and does on demand what can go wrong.

import {once} from 'node:events';
import {json as bodyOf} from 'node:stream/consumers';
import {setTimeout as wait} from 'node:timers/promises';

export const source = (id, path, url, snippet = `Text of ${path.at(-1)}.`) => ({
  id: String(id),
  title: path[0],
  page_title: path[0],
  heading_path: path,
  url,
  snippet,
  score: 0.8,
  version: null,
  locale: 'en',
});

export const PAIR = source(1, ['Lamps', 'Pair a lamp'], '/docs/lamps#pair-a-lamp', 'Hold the button of the lamp for three seconds.');
export const RANGE = source(2, ['Lamps', 'How far does the radio reach?'], '/docs/lamps#how-far-does-the-radio-reach');
export const GROUPS = source(3, ['Groups of lamps', 'Make a group'], '/docs/guides/groups#make-a-group');

export const TEXT = [
  'Hold the button for **three seconds** [1], then run:\n\n',
  '```bash\nlantern pair --name kitchen\n```\n\n',
  'The lamp blinks twice. ',
  'Walls take most of the range [2].',
];

const END = {outcome: 'answered', degraded: [], mode: 'generated', finish_reason: 'stop', understood_as: null};

/** The last event of an answer: the citations are found in its text. */
export function ending(text, fields = {}) {
  const sources = fields.sources ?? [PAIR, RANGE];
  const points = Array.from(text);
  const citations = points.flatMap((sign, start) => {
    const marker = sign === '[' && /^\[(\d+)\]/.exec(points.slice(start, start + 5).join(''));
    return marker && sources.some(({id}) => id === marker[1]) ? [{source_id: marker[1], start, end: start + marker[0].length}] : [];
  });
  return {type: 'done', ...END, citations, sources, nearest: [], scope: {version: null, locale: null, widened: false}, ...fields};
}

/** An answer in pieces. `pause`: milliseconds between them; `held`: a promise to wait for before the last piece. */
export function answer(pieces = TEXT, {pause = 0, held, ...fields} = {}) {
  return async (stream) => {
    stream.begin();
    stream.event({type: 'status', stage: 'searching', text: 'Searching the documentation'});
    stream.event({type: 'sources', sources: fields.sources ?? [PAIR, RANGE, GROUPS], nearest: fields.nearest ?? []});
    stream.event({type: 'status', stage: 'writing', text: 'Writing the answer'});
    for (const [place, text] of pieces.entries()) {
      if (pause) await wait(pause);
      if (held && place === pieces.length - 1) await held;
      stream.event({type: 'delta', text});
    }
    stream.event(ending(pieces.join(''), fields));
    stream.end();
  };
}

export const notInDocs = () =>
  answer(['The documentation does not say that.'], {outcome: 'not_in_docs', mode: 'extractive', sources: [], nearest: [PAIR, GROUPS]});

export const degraded = (parts = ['generation']) =>
  answer(['Hold the button of the lamp for three seconds [1].'], {outcome: 'degraded', degraded: parts, mode: 'extractive', sources: [PAIR]});

/** A refusal before the first byte, as RFC 9457 has it. */
export function refuse(status, {retryAfter, detail = 'Words of the service.', title = 'Refused', slug = 'refused'} = {}) {
  return async (stream) => {
    const problem = {type: `urn:ask-ai:problem:${slug}`, title, status, detail, request_id: 'r'.repeat(32), retryable: status !== 422};
    const waiting = retryAfter === undefined ? {} : {'Retry-After': String(retryAfter)};
    stream.reply.writeHead(status, {'Content-Type': 'application/problem+json', ...waiting});
    stream.reply.end(JSON.stringify({...problem, ...(retryAfter === undefined ? {} : {retry_after: retryAfter})}));
  };
}

/** A stream that is cut off after some text, without a last event. */
export const cut = (pieces = ['Hold the button ']) => async (stream) => {
  stream.begin();
  for (const text of pieces) stream.event({type: 'delta', text});
  await wait(50);
  stream.reply.destroy();
};

/** A stream that the service itself ends with `error`. */
export const fails = (detail = 'The model does not answer.') => async (stream) => {
  stream.begin();
  stream.event({type: 'delta', text: 'Hold the '});
  const problem = {type: 'urn:ask-ai:problem:model-unavailable', title: 'Model unavailable', status: 503, detail, request_id: 'r'.repeat(32), retryable: true};
  stream.event({type: 'error', problem});
  stream.end();
};

/** The whole answer as JSON, as a proxy that cannot stream would make it. */
export const asJson = (text = TEXT.join(''), fields = {}) => async (stream) => {
  const {type, ...rest} = ending(text, fields);
  stream.reply.writeHead(200, {'Content-Type': 'application/json', 'X-Visitor-Id': 'v_standin'});
  stream.reply.end(JSON.stringify({response: text, conversation_id: stream.conversation, message_id: stream.message, ...rest}));
};

/** The stand-in: `will(...)` says how the next questions are answered, `asked` is what came in. */
export class StandIn {
  asked = [];
  rated = [];
  #next = [];
  #usual = answer();
  #count = 0;

  will(...behaviours) {
    this.#next.push(...behaviours);
  }

  /** How questions are answered that nothing was said about. */
  always(behaviour) {
    this.#usual = behaviour;
  }

  forget() {
    this.asked = [];
    this.rated = [];
    this.#next = [];
    this.#usual = answer();
  }

  knows(method, path) {
    return /^\/(chat|chat\/stream|feedback|search)$/.test(path) && (method === 'POST' || method === 'OPTIONS');
  }

  async answer(request, reply, path) {
    const body = await bodyOf(request).catch(() => null);
    if (path === '/feedback') {
      this.rated.push(body);
      reply.writeHead(204).end();
      return;
    }
    const behaviour = this.#next.shift() ?? this.#usual;
    const left = once(reply, 'close').then(() => !reply.writableFinished);
    const question = {path, body, headers: request.headers, at: Date.now(), left, sent: []};
    this.asked.push(question);
    const stream = new Stream(reply, body?.conversation_id ?? `c_${++this.#count}`, `m_${this.asked.length}`, question);
    await behaviour(stream);
  }
}

class Stream {
  constructor(reply, conversation, message, question) {
    Object.assign(this, {reply, conversation, message, question});
  }

  begin() {
    this.reply.writeHead(200, {'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store', 'X-Visitor-Id': 'v_standin'});
    this.event({type: 'start', conversation_id: this.conversation, message_id: this.message});
  }

  /** Send an event and note when: milliseconds of this machine's clock, which the browser shares. */
  event(data) {
    if (this.reply.destroyed) return;
    this.question.sent.push({type: data.type, at: Date.now()});
    this.reply.write(`event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`);
  }

  end() {
    this.reply.end();
  }
}
