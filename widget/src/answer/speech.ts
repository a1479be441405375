// What a live region says of an answer: whole sentences of plain text, each once.

import {unsigned} from './citations';

/** Markdown as it is read out: without signs, with code named and not spelled. */
export function plainText(markdown: string, code: string): string {
  return unsigned(markdown)
    .replace(/^ {0,3}(`{3,}|~{3,})[^\n]*\n[^]*?(?:^ {0,3}\1[^\n]*$|$(?![^]))/gm, `${code}.`)
    .replace(/!?\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replace(/ ?\[\d{1,4}\]/g, '')
    .replace(/^ {0,3}(#{1,6}|[-*+>]|\d{1,9}[.)]) +/gm, '')
    .replace(/[*_`~]{1,3}(?=\S)|(?<=\S)[*_`~]{1,3}/g, '')
    .replace(/[ \t]*\n+[ \t]*/g, '\n')
    .trim();
}

/** The whole sentences of a growing text that follow the first `said` characters, and how far they reach. */
export function newSentences(text: string, said: number, isWhole: boolean): {say: string; said: number} {
  const rest = text.slice(said);
  const end = isWhole ? rest.length : lastEnd(rest);
  return {say: rest.slice(0, end).replace(/\s+/g, ' ').trim(), said: said + end};
}

/** Behind the last sentence that something follows; what is last may still go on. */
function lastEnd(text: string): number {
  let end = 0;
  for (const match of text.matchAll(/[.!?:…]["'”’)]*\s|[。！？]|\n/g)) end = match.index + match[0].length;
  return end;
}
