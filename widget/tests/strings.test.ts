import {readdirSync, readFileSync} from 'node:fs';
import {expect, test} from 'vitest';
import ar from '../src/strings/ar.json';
import de from '../src/strings/de.json';
import en from '../src/strings/en.json';
import {filled} from '../src/strings/texts';

const flat = (strings: typeof en) => ({...strings.launcher, ...strings.panel});
const placeholders = (text: string) => (text.match(/\{\w+\}/g) ?? []).sort();

test.each([
  ['de', de],
  ['ar', ar],
])('%s has every text of English, with the same placeholders, and none is left in English', (_, locale) => {
  const [own, english] = [flat(locale), flat(en)];
  expect(Object.keys(own).sort()).toEqual(Object.keys(english).sort());
  for (const id of Object.keys(english) as (keyof typeof english)[]) {
    expect(placeholders(own[id]), id).toEqual(placeholders(english[id]));
    if (id !== 'code') expect(own[id], id).not.toBe(english[id]);
  }
});

test('every text is used', () => {
  const sources = readdirSync('src', {recursive: true, encoding: 'utf8'})
    .filter((name) => /\.tsx?$/.test(name))
    .map((name) => readFileSync(`src/${name}`, 'utf8'))
    .join('\n');
  const unused = Object.keys(flat(en)).filter((id) => !new RegExp(`\\b(texts|englishPanel\\))\\.${id}\\b`).test(sources));
  expect(unused).toEqual([]);
});

test('placeholders are filled, and one without a value stays', () => {
  expect(filled('{a} and {b}', {a: 1})).toBe('1 and {b}');
});
