import {createServer, type IncomingMessage, type Server, type ServerResponse} from 'node:http';
import type {AddressInfo} from 'node:net';
import {afterEach, beforeEach, expect, test} from 'vitest';
import {Conversation} from '../src/chat/conversation';
import {ConversationStorage} from '../src/chat/storage';
import type {Turn} from '../src/chat/turn';

interface Asked {
  path: string;
  headers: IncomingMessage['headers'];
  body: Record<string, unknown>;
}

let server: Server;
let apiUrl: string;
let asked: Asked[];
let answer: (response: ServerResponse, count: number) => void;

beforeEach(async () => {
  asked = [];
  sessionStorage.clear();
  server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    response.setHeader('Access-Control-Allow-Origin', '*');
    response.setHeader('Access-Control-Allow-Headers', '*');
    response.setHeader('Access-Control-Expose-Headers', 'X-Visitor-Id, Retry-After, X-Request-ID');
    if (request.method === 'OPTIONS') return void response.writeHead(204).end();
    asked.push({path: request.url ?? '', headers: request.headers, body: JSON.parse(body) as Record<string, unknown>});
    answer(response, asked.length);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  apiUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(() => {
  server.closeAllConnections();
  server.close();
});

const ENDING = {
  type: 'done',
  outcome: 'answered',
  degraded: [],
  mode: 'generated',
  finish_reason: 'stop',
  citations: [{source_id: '1', start: 4, end: 7}],
  sources: [{id: '1', title: 'S', heading_path: ['S'], url: '/s', snippet: 'x', version: null, locale: 'en'}],
  nearest: [],
  scope: {version: null, locale: null, widened: false},
};

function streamed(response: ServerResponse, ...events: Record<string, unknown>[]): void {
  response.writeHead(200, {'Content-Type': 'text/event-stream', 'X-Visitor-Id': 'v_1'});
  for (const event of events) response.write(`event: ${String(event.type)}\ndata: ${JSON.stringify(event)}\n\n`);
}

const start = (id: string) => ({type: 'start', conversation_id: id, message_id: 'm_1'});

function begun(): {conversation: Conversation; told: [string, Turn][]} {
  const told: [string, Turn][] = [];
  const around = {
    apiUrl,
    siteKey: 'k',
    context: () => ({page_url: '/docs/x', locale: 'en'}),
    onAsked: (turn: Turn) => void told.push(['asked', turn]),
    onAnswered: (turn: Turn) => void told.push(['answered', turn]),
    onRated: (turn: Turn) => void told.push(['rated', turn]),
  };
  return {conversation: new Conversation(around, new ConversationStorage(apiUrl)), told};
}

const last = (conversation: Conversation) => conversation.turns().at(-1)!;

test('a question is answered piece by piece, and what it needs is sent with it', async () => {
  answer = (response) => {
    streamed(
      response,
      start('c_1'),
      {type: 'status', stage: 'searching'},
      {type: 'delta', text: 'Yes '},
      {type: 'delta', text: '[1].'},
      ENDING,
    );
    response.end();
  };
  const {conversation, told} = begun();
  await conversation.send(' Is it? ', 'a lamp', 'selection');
  expect(last(conversation)).toMatchObject({state: 'done', text: 'Yes [1].', messageId: 'm_1', ending: {outcome: 'answered'}});
  expect(asked[0]).toMatchObject({
    path: '/chat/stream',
    headers: {'x-site-key': 'k', accept: 'text/event-stream'},
    body: {query: 'Is it?', context: {page_url: '/docs/x', locale: 'en', selection: 'a lamp'}},
  });
  expect(asked[0]!.body.client_message_id).toMatch(/^w_[0-9a-f]{32}$/);
  expect(told.map(([what]) => what)).toEqual(['asked', 'answered']);
});

test('the visitor and the conversation go on, on the next page too, and an id the service replaced is taken over', async () => {
  answer = (response, count) => {
    streamed(response, start(count < 3 ? 'c_1' : 'c_new'), ENDING);
    response.end();
  };
  await begun().conversation.send('one', null, null);
  const {conversation} = begun();
  expect(conversation.turns().map((turn) => turn.question)).toEqual(['one']);
  await conversation.send('two', null, null);
  await conversation.send('three', null, null);
  await conversation.send('four', null, null);
  expect(asked.map(({body}) => body.conversation_id)).toEqual([undefined, 'c_1', 'c_1', 'c_new']);
  expect(asked.map(({headers}) => headers['x-visitor-id'])).toEqual([undefined, 'v_1', 'v_1', 'v_1']);
  conversation.startAnew();
  expect(conversation.turns()).toEqual([]);
  await conversation.send('five', null, null);
  expect([asked[4]!.body.conversation_id, asked[4]!.headers['x-visitor-id']]).toEqual([undefined, 'v_1']);
});

test('a stream that ends without its last event is a failure, and the retry sends the same message id', async () => {
  answer = (response, count) => {
    streamed(response, start('c_1'), {type: 'delta', text: 'Half'}, ...(count === 2 ? [ENDING] : []));
    response.end();
  };
  const {conversation} = begun();
  await conversation.send('one', null, null);
  expect(last(conversation)).toMatchObject({state: 'failed', text: 'Half', problem: {slug: 'cut', retryable: true}});
  await conversation.retry(last(conversation));
  expect(last(conversation).state).toBe('done');
  expect(conversation.turns()).toHaveLength(1);
  expect(asked[0]!.body.client_message_id).toBe(asked[1]!.body.client_message_id);
});

test('an answer that is there is asked for anew with an id of its own', async () => {
  answer = (response) => {
    streamed(response, start('c_1'), {...ENDING, outcome: 'degraded', degraded: ['generation']});
    response.end();
  };
  const {conversation} = begun();
  await conversation.send('one', null, null);
  await conversation.retry(last(conversation));
  expect(asked[0]!.body.client_message_id).not.toBe(asked[1]!.body.client_message_id);
});

test('a refusal waits for its Retry-After, and is not asked again before', async () => {
  answer = (response, count) => {
    if (count > 1) {
      streamed(response, start('c_1'), ENDING);
      return void response.end();
    }
    response.writeHead(429, {'Content-Type': 'application/problem+json', 'Retry-After': '1'});
    response.end(JSON.stringify({type: 'urn:ask-ai:problem:rate-limited', retryable: true}));
  };
  const {conversation} = begun();
  await conversation.send('one', null, null);
  expect(last(conversation)).toMatchObject({state: 'failed', problem: {slug: 'rate-limited', retryAfter: 1}});
  await conversation.retry(last(conversation));
  expect(asked).toHaveLength(1);
  await new Promise((resolve) => setTimeout(resolve, last(conversation).retryAt - Date.now() + 5));
  await conversation.retry(last(conversation));
  expect(last(conversation).state).toBe('done');
});

test('an error event ends the turn with the problem it tells', async () => {
  answer = (response) => {
    streamed(response, start('c_1'), {
      type: 'error',
      problem: {type: 'urn:ask-ai:problem:search-unavailable', retryable: true, retry_after: 5},
    });
    response.end();
  };
  const {conversation} = begun();
  await conversation.send('one', null, null);
  expect(last(conversation)).toMatchObject({state: 'failed', problem: {slug: 'search-unavailable', retryAfter: 5}});
});

test('a reply that is no stream is read as a whole', async () => {
  answer = (response) => {
    response.writeHead(200, {'Content-Type': 'application/json'});
    response.end(JSON.stringify({...ENDING, response: 'Yes [1].', conversation_id: 'c_1', message_id: 'm_9'}));
  };
  const {conversation} = begun();
  await conversation.send('one', null, null);
  expect(last(conversation)).toMatchObject({state: 'done', text: 'Yes [1].', messageId: 'm_9'});
});

test('a refusal to answer carries no sources, whatever came before', async () => {
  answer = (response) => {
    streamed(
      response,
      start('c_1'),
      {type: 'sources', sources: ENDING.sources, nearest: []},
      {...ENDING, outcome: 'not_in_docs'},
    );
    response.end();
  };
  const {conversation} = begun();
  await conversation.send('one', null, null);
  expect(last(conversation)).toMatchObject({sources: [], ending: {outcome: 'not_in_docs', sources: []}});
});

test('Stop ends the request and keeps what was written', async () => {
  const left = new Promise<void>((resolve) => {
    answer = (response) => {
      response.on('close', resolve);
      streamed(response, start('c_1'), {type: 'delta', text: 'Half'});
    };
  });
  const {conversation} = begun();
  const sending = conversation.send('one', null, null);
  await new Promise<void>((resolve) => conversation.watch(() => last(conversation).text && resolve()));
  conversation.stop();
  await sending;
  await left;
  expect(last(conversation)).toMatchObject({state: 'stopped', text: 'Half'});
});

test('a new chat during an answer leaves nothing of the old one', async () => {
  answer = (response) => streamed(response, start('c_1'), {type: 'delta', text: 'Half'});
  const {conversation} = begun();
  const sending = conversation.send('one', null, null);
  await new Promise<void>((resolve) => conversation.watch(() => conversation.turns().at(-1)?.text && resolve()));
  conversation.startAnew();
  await sending;
  expect([conversation.turns(), conversation.busy]).toEqual([[], false]);
});

test('a rating is sent for the answer and kept, and a rating that fails changes nothing', async () => {
  answer = (response, count) => {
    if (count === 1) streamed(response, start('c_1'), ENDING);
    else response.writeHead(count === 2 ? 204 : 503);
    response.end();
  };
  const {conversation, told} = begun();
  await conversation.send('one', null, null);
  await conversation.rate(last(conversation), 'down', 'Outdated.');
  expect(asked[1]).toMatchObject({path: '/feedback', body: {message_id: 'm_1', rating: 'down', comment: 'Outdated.'}});
  await expect(conversation.rate(last(conversation), 'up')).rejects.toThrow('unavailable');
  expect(last(conversation).rating).toBe('down');
  expect(told.at(-1)).toMatchObject(['rated', {rating: 'down'}]);
});

test('a service that cannot be reached is a failure of its own', async () => {
  const {conversation} = begun();
  await new Promise((resolve) => server.close(resolve));
  await conversation.send('one', null, null);
  expect(last(conversation)).toMatchObject({state: 'failed', problem: {slug: 'unreachable', retryable: true}});
});
