import {expect, test} from 'vitest';
import {rendered} from '../src/answer/markdown';
import type {Source} from '../src/chat/types';

const source = (id: string, url: string): Source => ({
  id,
  title: 'S',
  heading_path: ['S', 'T'],
  url,
  snippet: '',
  version: null,
  locale: 'en',
});
const words = {copyCode: 'Copy', code: 'Code', source: ({id}: Source) => `Source ${id}`};
const rules = {page: location.href, hosts: new Set<string>(), siteOrigin: undefined};
const render = (text: string, sources = [source('1', '/s#1')]) => rendered({text, sources, citations: []}, rules, words);

/** The HTML of an answer, its markers as {n}, its code as [text]. */
function html(text: string): string {
  const answer = render(text);
  for (const code of answer.querySelectorAll('.ask-docs-code')) code.replaceWith(`[${code.querySelector('pre')!.textContent}]`);
  for (const frame of answer.querySelectorAll('.ask-docs-wide')) frame.replaceWith(...frame.childNodes);
  for (const marker of answer.querySelectorAll('[data-source]')) marker.replaceWith(`{${marker.textContent}}`);
  for (const link of answer.querySelectorAll('a')) link.href = new URL(link.href).pathname;
  return answer.innerHTML;
}

test.each([
  ['one\ntwo\n\nthree', '<p>one\ntwo</p><p>three</p>'],
  ['- a\n- b\n  - c\n\nend', '<ul><li>a</li><li>b<ul><li>c</li></ul></li></ul><p>end</p>'],
  ['3. a\n4. b', '<ol start="3"><li>a</li><li>b</li></ol>'],
  ['1. a\n\n   ```\n   x\n     y\n   ```\n2. b', '<ol><li>a[x\n  y]</li><li>b</li></ol>'],
  ['- a\nlazy\n- b', '<ul><li>a\nlazy</li><li>b</li></ul>'],
  ['## Head **x** ##', '<p><strong>Head <strong>x</strong></strong></p>'],
  ['> q\n> - r', '<blockquote><p>q</p><ul><li>r</li></ul></blockquote>'],
  ['a\n\n---\n\nb', '<p>a</p><hr><p>b</p>'],
  ['a `b*c*` ``d`e`` *f* g*h*i snake_case_name', '<p>a <code>b*c*</code> <code>d`e</code> <em>f</em> g*h*i snake_case_name</p>'],
  ['\\*no\\* \\`no\\` **open', '<p>*no* `no` **open</p>'],
  ['then run it [1]: now', '<p>then run it&nbsp;{1}: now</p>'],
  ['```js\nopen < &', '[open &lt; &amp;]'],
  ['~~~\n```\n~~~\nafter', '[```]<p>after</p>'],
  ['[1] [2][1] [x] `[1]`', '<p>{1} [2]{1} [x] <code>[1]</code></p>'],
  ['[w](/a_(b)) [n](x.md)', '<p><a href="/a_(b)">w</a> n</p>'],
  ['[j](javascript:1) [d](data:x) ![p](https://h.example/p.png)', '<p>j d p</p>'],
  [
    '| a | b |\n|---|:-:|\n| `x` | y \\| z |\n| 1 |',
    '<table><thead><tr><th>a</th><th>b</th></tr></thead><tbody><tr><td><code>x</code></td><td>y | z</td></tr><tr><td>1</td><td></td></tr></tbody></table>',
  ],
  ['a | b\nno table', '<p>a | b\nno table</p>'],
])('%j becomes its elements', (text, wanted) => {
  expect(html(text)).toBe(wanted);
});

test('HTML in an answer stays text, and no element or attribute can be smuggled in', () => {
  const hostile = [
    '<img src=x onerror=alert(1)> <script>alert(1)</script> <svg/onload=alert(1)> <math><mi xlink:href="javascript:1">',
    '[a](javascript:alert(1)) [b](//evil.example) [c](https://evil.example) ![d](https://evil.example/p.png)',
    '```"><script>alert(1)</script>\n</code></pre><script>x</script>\n```',
    '<a href="javascript:1" style="position:fixed">x</a> <form action=/x><input></form> <iframe srcdoc=x></iframe>',
    '| <b onclick=x>h</b> |\n|---|\n| <style>*{}</style> |',
  ].join('\n\n');
  const answer = render(hostile);
  const names = new Set(Array.from(answer.querySelectorAll('*'), (element) => element.localName));
  expect([...names].sort()).toEqual(['button', 'code', 'div', 'p', 'pre', 'span', 'table', 'tbody', 'td', 'th', 'thead', 'tr']);
  const attributes = Array.from(answer.querySelectorAll('*')).flatMap((element) => element.getAttributeNames());
  expect(new Set(attributes)).toEqual(new Set(['class', 'type', 'data-copy', 'tabindex']));
  expect(answer.textContent).toContain('<script>alert(1)</script>');
});

test('a marker links to its exact heading and bears a name; without a followable address it is no link', () => {
  const marker = render('x [1]').querySelector('a')!;
  expect([marker.getAttribute('aria-label'), new URL(marker.href).hash, marker.target]).toEqual(['Source 1', '#1', '']);
  expect(render('x [1]', [source('1', 'javascript:1')]).querySelector('a')).toBeNull();
});

test('links to other hosts open apart, and only when a source names the host', () => {
  const outside = {...rules, hosts: new Set(['h.example'])};
  const answer = rendered({text: '[h](https://h.example/) [g](https://g.example/)', sources: [], citations: []}, outside, words);
  const links = Array.from(answer.querySelectorAll('a'), (link) => [link.href, link.target, link.rel]);
  expect(links).toEqual([['https://h.example/', '_blank', 'noopener noreferrer']]);
});

test('long hostile Markdown is read in no time', () => {
  const began = performance.now();
  for (const piece of ['**a', '[', '`', '> ', '- ', '*a ', '[a](', '1. ', '| a ', '<http://']) render(piece.repeat(4000));
  render(Array.from({length: 400}, (_, depth) => `${' '.repeat(depth)}- x`).join('\n'));
  expect(performance.now() - began).toBeLessThan(20_000);
});
