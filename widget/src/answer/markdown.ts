// Renders an answer as DOM nodes that can do no harm: no picture, no script, no style, no form, links only where allowed.

import DOMPurify from 'dompurify';
import type {Citation, Source} from '../chat/types';
import {blocks} from './blocks';
import {piecesOf, signed, unsigned} from './citations';
import {node} from './inline';
import {followable, type LinkRules} from './links';

export interface AnswerWords {
  copyCode: string;
  code: string;
  /** Name of a marker's link, for those who do not see the number. */
  source(source: Source): string;
}

export interface AnswerParts {
  text: string;
  sources: readonly Source[];
  /** None while the answer is being written. */
  citations: readonly Citation[];
}

/** The second lock: the Markdown reader makes no other elements, and whatever it may come to make, these rules stand. */
const RULES = {
  ALLOWED_TAGS: ['#text', 'div', 'p', 'strong', 'em', 'code', 'pre', 'blockquote', 'ul', 'ol', 'li', 'a', 'hr'].concat([
    'table',
    'thead',
    'tbody',
    'tr',
    'th',
    'td',
  ]),
  ALLOWED_ATTR: ['href', 'start', 'class'],
  FORBID_TAGS: ['img', 'style', 'form', 'input', 'iframe', 'svg', 'math'],
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
  IN_PLACE: true as const,
};

/** An element that holds the nodes of an answer. Markers become links with `data-source`; code gets a button with `data-copy`. */
export function rendered(parts: AnswerParts, rules: LinkRules, words: AnswerWords): HTMLElement {
  const byId = new Map(parts.sources.map((source) => [source.id, source]));
  const markdown = signed(parts.text, parts.citations, new Set(byId.keys()));
  const answer = node('div', blocks(markdown));
  DOMPurify.sanitize(answer, RULES);
  for (const link of answer.querySelectorAll('a')) confine(link, rules);
  for (const table of answer.querySelectorAll('table')) framed(table);
  for (const block of answer.querySelectorAll('pre')) withCopyButton(block, words);
  for (const text of textNodes(answer)) placeMarkers(text, byId, rules, words);
  return answer;
}

function confine(link: HTMLAnchorElement, rules: LinkRules): void {
  const url = followable(link.getAttribute('href') ?? '', rules);
  if (!url) link.replaceWith(...link.childNodes);
  else aim(link, url);
}

/** Lets a link lead to `url`: within the site in place, elsewhere in a new tab. */
export function aim(link: HTMLAnchorElement, url: URL): void {
  link.removeAttribute('class');
  link.href = url.href;
  if (url.origin === location.origin) return;
  link.target = '_blank';
  link.rel = 'noopener noreferrer';
}

function framed(table: HTMLTableElement): void {
  const frame = document.createElement('div');
  frame.className = 'ask-docs-wide';
  frame.tabIndex = 0;
  table.replaceWith(frame);
  frame.append(table);
}

function withCopyButton(block: HTMLPreElement, words: AnswerWords): void {
  const code = block.querySelector('code');
  const language = /(?:^|\s)language-([\w+#.-]{1,20})/.exec(code?.className ?? '')?.[1] ?? '';
  code?.removeAttribute('class');
  const frame = document.createElement('div');
  frame.className = 'ask-docs-code';
  const name = document.createElement('span');
  name.textContent = language || words.code;
  const button = document.createElement('button');
  button.type = 'button';
  button.dataset.copy = '';
  button.textContent = words.copyCode;
  block.tabIndex = 0;
  block.replaceWith(frame);
  frame.append(name, button, block);
}

function placeMarkers(place: Text, byId: Map<string, Source>, rules: LinkRules, words: AnswerWords): void {
  if (place.parentElement?.closest('code, pre, a')) {
    place.data = unsigned(place.data);
    return;
  }
  const pieces = piecesOf(place.data);
  if (pieces.length === 1) return;
  const nodes = pieces.map(({text, id}, index) => {
    const source = id === null ? undefined : byId.get(id);
    // A marker stays on the line of the word it proves.
    if (!source) return pieces[index + 1]?.id ? text.replace(/ +$/, '\u00a0') : text;
    return marker(source, rules, words);
  });
  place.replaceWith(...nodes);
}

function marker(source: Source, rules: LinkRules, words: AnswerWords): Node {
  const url = followable(source.url, rules);
  const mark = document.createElement(url ? 'a' : 'span');
  if (url) aim(mark as HTMLAnchorElement, url);
  mark.className = 'ask-docs-marker';
  mark.dataset.source = source.id;
  if (url) mark.setAttribute('aria-label', words.source(source));
  mark.textContent = source.id;
  return mark;
}

function textNodes(answer: HTMLElement): Text[] {
  const walker = document.createTreeWalker(answer, NodeFilter.SHOW_TEXT);
  const found: Text[] = [];
  while (walker.nextNode()) found.push(walker.currentNode as Text);
  return found;
}
