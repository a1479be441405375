import {expect, test} from 'vitest';
import {headings} from '../src/page/reading';
import {asQuestion, startersFor} from '../src/page/starters';

test('the rule of the closest path wins, then the rule for all pages, then the headings', () => {
  const rules = [{questions: ['All?']}, {path: '/docs', questions: ['Docs?']}, {path: '/docs/api', questions: ['Api?']}];
  const at = (path: string) => startersFor(path, rules, ['What is a hub?'], true);
  expect([at('/docs/api/x'), at('/docs/y'), at('/blog')]).toEqual([['Api?'], ['Docs?'], ['All?']]);
  expect(startersFor('/docs', [], ['What is a hub?', 'What is a hub?'], true)).toEqual(['What is a hub?']);
});

test('of two rules for the same path the first one counts', () => {
  expect(startersFor('/', [{questions: ['Frage?']}, {questions: ['Question?']}], [], false)).toEqual(['Frage?']);
});

test('headings that ask, or in English tell to do something, become questions; others do not', () => {
  expect(asQuestion('Install the hub.', true)).toBe('How do I install the hub?');
  expect(asQuestion('Install the hub', false)).toBeNull();
  expect(asQuestion('ما هو المحور؟', false)).toBe('ما هو المحور؟');
  expect(asQuestion('どうやって使いますか？', false)).toBe('どうやって使いますか？');
  expect(asQuestion('Overview', true)).toBeNull();
  expect(asQuestion(`Install ${'x'.repeat(90)}`, true)).toBeNull();
});

test('at most four questions are offered', () => {
  expect(
    startersFor(
      '/',
      [],
      Array.from({length: 9}, (_, n) => `What is number ${n}?`),
      true,
    ),
  ).toHaveLength(4);
});

test('headings are read without the signs of links to them, and from the page alone', () => {
  document.body.innerHTML = `<nav><h2>Menu of all pages</h2></nav><main><article><div class="markdown">
    <h1>Set up</h1><h2 id="a">Pair a lamp<a href="#a" class="hash-link">\u200b</a></h2><h4>Too deep</h4></div></article></main>`;
  expect(headings()).toEqual(['Set up', 'Pair a lamp']);
});
