// Finds the citation markers of an answer, and carries them through the Markdown parser as signs that no text contains.

import type {Citation} from '../chat/types';

/** Private-use characters: they mean nothing to Markdown and are taken out of the answer's own text. */
const OPEN = '\ue000';
const CLOSE = '\ue001';
const OWN = /[\ue000\ue001]/g;
const SIGN = /\ue000(\d{1,4})\ue001/;

/**
 * The answer with a sign in place of each marker. `citations` give the places in code points; without any, as while the answer
 * is being written, every `[n]` that names a source is one.
 */
export function signed(text: string, citations: readonly Citation[], ids: ReadonlySet<string>): string {
  const clean = text.replace(OWN, '\ufffd');
  return citations.length ? signedByPlace(clean, citations, ids) : signedByForm(clean, ids);
}

/** A text cut at its signs: strings, and the ids between them. */
export function piecesOf(text: string): {text: string; id: string | null}[] {
  return text
    .split(new RegExp(SIGN, 'g'))
    .map((part, index) => (index % 2 ? {text: `[${part}]`, id: part} : {text: part, id: null}));
}

/** The text with its signs written out as markers again. */
export function unsigned(text: string): string {
  return text.replace(new RegExp(SIGN, 'g'), '[$1]');
}

function signedByPlace(text: string, citations: readonly Citation[], ids: ReadonlySet<string>): string {
  const points = Array.from(text);
  const inOrder = [...citations].sort((one, other) => one.start - other.start);
  let written = '';
  let at = 0;
  for (const {source_id, start, end} of inOrder) {
    const isMarker = points.slice(start, end).join('') === `[${source_id}]`;
    if (start < at || !isMarker || !ids.has(source_id) || !/^\d{1,4}$/.test(source_id)) continue;
    written += points.slice(at, start).join('') + OPEN + source_id + CLOSE;
    at = end;
  }
  return written + points.slice(at).join('');
}

function signedByForm(text: string, ids: ReadonlySet<string>): string {
  return text.replace(/\[(\d{1,4})\](?!\()/g, (marker, id: string) => (ids.has(id) ? OPEN + id + CLOSE : marker));
}
