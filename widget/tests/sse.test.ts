import {expect, test} from 'vitest';
import {EventParser, readEvents} from '../src/chat/sse';

const WIRE =
  ': note\r\n\r\nevent: a\r\ndata: {"x":1}\r\n\r\ndata:two\ndata:  lines\nid: 7\n\n' +
  'event: b\rdata\r\rretry: 3\n\nevent: none\n\ndata: cut off';
const WHOLE = [
  {event: 'a', data: '{"x":1}'},
  {event: 'message', data: 'two\n lines'},
  {event: 'b', data: ''},
];

const read = (...pieces: string[]) => {
  const parser = new EventParser();
  return pieces.flatMap((piece) => parser.push(piece));
};

test('events are read whole wherever their text is cut, with CRLF, LF and CR', () => {
  expect(read(WIRE)).toEqual(WHOLE);
  expect(read(...WIRE)).toEqual(WHOLE);
  for (let at = 0; at <= WIRE.length; at += 1) expect(read(WIRE.slice(0, at), '', WIRE.slice(at))).toEqual(WHOLE);
});

test('a letter of several bytes survives a cut in its midst', async () => {
  const bytes = new TextEncoder().encode('data: größe 🦉 ع\n\n');
  for (let at = 1; at < bytes.length; at += 1) {
    const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
      start(controller) {
        controller.enqueue(bytes.slice(0, at));
        controller.enqueue(bytes.slice(at));
        controller.close();
      },
    });
    const found = [];
    for await (const event of readEvents(body)) found.push(event.data);
    expect(found).toEqual(['größe 🦉 ع']);
  }
});

test('every chunk is a sign of life, comments too, and whoever stops reading cancels the body', async () => {
  let signs = 0;
  let cancelled = false;
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull: (controller) => controller.enqueue(new TextEncoder().encode(signs < 2 ? ': ping\n\n' : 'data: x\n\n')),
    cancel: () => {
      cancelled = true;
    },
  });
  for await (const {data} of readEvents(body, () => (signs += 1))) {
    expect(data).toBe('x');
    break;
  }
  expect(signs).toBeGreaterThan(2);
  expect(cancelled).toBe(true);
});
