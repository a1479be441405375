import {normalizePluginOptions} from '@docusaurus/utils-validation';
import {expect, test} from 'vitest';
import {optionsSchema} from '../src/plugin/options';
import {standaloneOptions} from '../src/standalone/options';

const validated = (options: Record<string, unknown>) =>
  normalizePluginOptions(optionsSchema as never, options as never) as Record<string, unknown>;

test('an apiUrl is enough, and the defaults are filled in', () => {
  expect(validated({apiUrl: 'https://ask.example.com'})).toEqual({
    id: 'default',
    apiUrl: 'https://ask.example.com',
    position: 'end',
    shortcut: 'mod+i',
    launcher: true,
    selectionButton: true,
    starters: [],
    questionsInEvents: false,
  });
});

test('short forms become their long ones', () => {
  const {starters, disclaimer, shortcut} = validated({
    apiUrl: '/ask',
    starters: ['What is it?', {path: '/docs', locale: 'de', questions: ['Was ist es?']}],
    disclaimer: 'No personal data, please.',
    shortcut: 'Shift+Mod+K',
  });
  expect(starters).toEqual([{path: '/docs', locale: 'de', questions: ['Was ist es?']}, {questions: ['What is it?']}]);
  expect(disclaimer).toEqual({text: 'No personal data, please.'});
  expect(shortcut).toBe('mod+shift+k');
});

test.each([
  [{}, /"apiUrl" is missing: the address of the service/],
  [{apiUrl: 'ask.example.com'}, /"apiUrl" must be the address of the service/],
  [{apiUrl: 'javascript:alert(1)'}, /"apiUrl" must be/],
  [{apiUrl: '//ask.example.com'}, /"apiUrl" must be/],
  [{apiUrl: '/ask', shortcut: 'i'}, /"shortcut" must be keys such as mod\+i/],
  [{apiUrl: '/ask', shortcut: true}, /"shortcut" must be/],
  [{apiUrl: '/ask', position: 'left'}, /"position" must be one of \[start, end\]/],
  [{apiUrl: '/ask', starters: [{path: 'docs', questions: ['x']}]}, /starters/],
  [{apiUrl: '/ask', starters: 'What?'}, /"starters" must be an array/],
  [{apiUrl: '/ask', disclaimer: {url: 'javascript:1'}}, /disclaimer/],
  [{apiUrl: '/ask', colour: 'red'}, /"colour" is not allowed/],
])('%j is refused with a message that helps', (options, message) => {
  expect(() => validated(options)).toThrow(message);
});

test('data attributes of the standalone script win over its file, and without both its own origin asks', () => {
  const src = 'https://ask.example.com/files/ask-docs.js';
  expect(standaloneOptions({}, null, src)).toEqual({
    apiUrl: 'https://ask.example.com',
    position: 'end',
    shortcut: 'mod+i',
    launcher: true,
    selectionButton: true,
    starters: [],
  });
  const data = {apiUrl: '/ask', title: 'Ask us', position: 'start', shortcut: 'false', launcher: 'false', starters: 'A? | B?|'};
  expect(
    standaloneOptions({...data, disclaimer: 'Mind.', disclaimerUrl: 'javascript:1'}, {title: 'File', siteKey: 'k'}, src),
  ).toEqual({
    apiUrl: '/ask',
    title: 'Ask us',
    siteKey: 'k',
    position: 'start',
    shortcut: false,
    launcher: false,
    selectionButton: true,
    starters: [{questions: ['A?', 'B?']}],
    disclaimer: {text: 'Mind.'},
  });
});
