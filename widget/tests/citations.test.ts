import {expect, test} from 'vitest';
import {piecesOf, signed, unsigned} from '../src/answer/citations';

const ids = new Set(['1', '2']);
const cited = (text: string) =>
  piecesOf(text)
    .filter(({id}) => id !== null)
    .map(({id}) => id);

test('places count code points, so that signs of two code units before a marker do not shift it', () => {
  const text = '🦉🦉 hoot [1], 👩‍💻 [2]';
  const at = (marker: string) => Array.from(text.slice(0, text.indexOf(marker))).length;
  const citations = ['1', '2'].map((id) => ({source_id: id, start: at(`[${id}]`), end: at(`[${id}]`) + 3}));
  const found = signed(text, citations, ids);
  expect(cited(found)).toEqual(['1', '2']);
  expect(unsigned(found)).toBe(text);
});

test('a place that holds no marker of a known source, or overlaps another, is left alone', () => {
  const text = 'a [1] b [2] c [9]';
  const citations = [
    {source_id: '1', start: 0, end: 3},
    {source_id: '2', start: 8, end: 11},
    {source_id: '2', start: 8, end: 11},
    {source_id: '9', start: 14, end: 17},
  ];
  const found = signed(text, citations, ids);
  expect(cited(found)).toEqual(['2']);
  expect(unsigned(found)).toBe(text);
});

test('while the answer is written every marker of a found source counts, and links do not', () => {
  expect(cited(signed('x [1] [3] [2](/a) [12', [], ids))).toEqual(['1']);
});

test('private-use signs in an answer cannot forge a marker', () => {
  expect(cited(signed('x \ue0001\ue001', [], ids))).toEqual([]);
});
