import {expect, test} from 'vitest';
import {problemOf, retryAfterSeconds, secondsLeft} from '../src/chat/problem';

test('Retry-After is read as seconds and as a date, and nonsense as nothing', () => {
  const now = Date.parse('2026-01-01T00:00:00Z');
  expect(retryAfterSeconds('7', now)).toBe(7);
  expect(retryAfterSeconds('Thu, 01 Jan 2026 00:00:30 GMT', now)).toBe(30);
  expect(retryAfterSeconds('Wed, 31 Dec 2025 00:00:30 GMT', now)).toBe(0);
  for (const header of [null, '', 'soon', '-1']) expect(retryAfterSeconds(header, now)).toBe(0);
  expect(retryAfterSeconds('99999999', now)).toBe(86_400);
});

test('a countdown shows whole seconds, reaches 0 when the time has come, and stays there', () => {
  expect([3000, 2999, 2001, 2000, 1, 0, -5000].map((left) => secondsLeft(10_000, 10_000 - left))).toEqual([3, 3, 3, 2, 1, 0, 0]);
});

test('a problem is what the service tells, the body before the header', () => {
  const told = {type: 'urn:ask-ai:problem:rate-limited', detail: 'Wait.', retryable: true, retry_after: 3, request_id: 'r_1'};
  expect(problemOf(told, 429, new Headers({'Retry-After': '9'}))).toEqual({
    slug: 'rate-limited',
    detail: 'Wait.',
    retryable: true,
    retryAfter: 3,
    requestId: 'r_1',
  });
});

test.each([
  [429, 'rate-limited', true],
  [503, 'unavailable', true],
  [404, 'failed', false],
])('a reply with status %i that tells nothing is %s', (status, slug, retryable) => {
  const problem = problemOf(null, status, new Headers({'Retry-After': '2', 'X-Request-ID': 'r_2'}));
  expect(problem).toMatchObject({slug, retryable, retryAfter: 2, requestId: 'r_2'});
});
