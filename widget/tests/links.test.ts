import {expect, test} from 'vitest';
import {followable, hostsOf} from '../src/answer/links';

const page = 'https://docs.example.com/docs/intro';
const rules = {page, hosts: new Set(['other.example']), siteOrigin: 'https://docs.example.com'};

test.each([
  ['/docs/a#b', 'https://docs.example.com/docs/a#b'],
  ['#here', 'https://docs.example.com/docs/intro#here'],
  ['https://docs.example.com/x', 'https://docs.example.com/x'],
  ['HTTPS://other.example/x', 'https://other.example/x'],
])('%s may be followed', (raw, url) => {
  expect(followable(raw, rules)?.href).toBe(url);
});

test.each([
  'javascript:alert(1)',
  'JaVaScRiPt:alert(1)',
  'java\tscript:alert(1)',
  ' javascript:alert(1)',
  'data:text/html,<script>1</script>',
  'vbscript:x',
  'blob:https://docs.example.com/x',
  'file:///etc/passwd',
  'mailto:a@b.example',
  '//evil.example/x',
  '/\\evil.example',
  '\\\\evil.example',
  '/\t/evil.example',
  'https://user@docs.example.com/',
  'https://user:secret@other.example/',
  'https://evil.example/',
  'https://docs.example.com.evil.example/',
  'https://',
  'relative.md',
  '',
])('%j may not be followed', (raw) => {
  expect(followable(raw, rules)).toBeNull();
});

test('a page of the production site is shown on the origin the reader is on', () => {
  const local = {...rules, page: 'http://localhost:3000/docs/intro'};
  expect(followable('https://docs.example.com/docs/a?b#c', local)?.href).toBe('http://localhost:3000/docs/a?b#c');
});

test('only absolute http addresses of sources name hosts', () => {
  expect(hostsOf(['https://a.example/x', '/docs', 'javascript:1', '//b.example', 'https://'], page)).toEqual(
    new Set(['a.example']),
  );
});
