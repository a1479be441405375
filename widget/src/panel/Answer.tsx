// The text of an answer: its nodes, the snippet beside a marker, copying of code.

import {useEffect, useId, useLayoutEffect, useMemo, useRef, useState} from 'react';
import type {KeyboardEvent, MouseEvent, SyntheticEvent} from 'react';
import {rendered} from '../answer/markdown';
import type {Turn} from '../chat/turn';
import type {Source} from '../chat/types';
import {filled} from '../strings/texts';
import {copyText} from './copying';
import {useHost} from './host';
import {patch} from './patch';

export function Answer({turn}: {turn: Turn}) {
  const {texts, rules, follow} = useHost();
  const body = useRef<HTMLDivElement>(null);
  const words = useMemo(
    () => ({
      copyCode: texts.copyCode,
      code: texts.code,
      source: (source: Source) => filled(texts.sourceName, {id: source.id, path: source.heading_path.join(', ')}),
    }),
    [texts],
  );
  useLayoutEffect(() => {
    const {text, sources, ending} = turn;
    const parts = {text, sources, citations: ending?.citations ?? []};
    patch(body.current!, rendered(parts, rules(sources.map((source) => source.url)), words));
  }, [turn, rules, words]);

  const snippet = useSnippet(turn.sources);
  const onClick = (event: MouseEvent) => {
    const target = event.target as Element;
    const link = target.closest('a');
    const copy = target.closest<HTMLButtonElement>('[data-copy]');
    if (link) follow(event, link);
    const code = copy?.parentElement?.querySelector('code');
    if (copy && code) copyFrom(copy, code, texts);
  };
  return (
    <div className="ask-docs-answer" {...snippet.handlers}>
      <div ref={body} className="ask-docs-text" dir="auto" aria-busy={turn.state === 'writing'} onClick={onClick} />
      {snippet.tip}
    </div>
  );
}

async function copyFrom(
  button: HTMLButtonElement,
  code: HTMLElement,
  texts: {copied: string; selected: string; copyCode: string},
) {
  const done = await copyText(code.textContent, code);
  button.textContent = done ? texts.copied : texts.selected;
  setTimeout(() => {
    button.textContent = texts.copyCode;
  }, 2000);
}

const LINGER_MS = 200;

/** A marker that is pointed at or focused shows what its source says, as long as the pointer is on either; Esc sends it away. */
function useSnippet(sources: readonly Source[]) {
  const [shown, show] = useState<{source: Source; top: number} | null>(null);
  const id = useId();
  const timer = useRef(0);
  const marked = useRef<Element | null>(null);
  useEffect(() => () => clearTimeout(timer.current), []);
  const hide = () => {
    clearTimeout(timer.current);
    marked.current?.removeAttribute('aria-describedby');
    marked.current = null;
    show(null);
  };
  const point = (event: SyntheticEvent) => {
    const target = event.target as Element;
    const marker = target.closest<HTMLElement>('[data-source]');
    const source = sources.find((one) => one.id === marker?.dataset.source);
    if (marker && source?.snippet) {
      hide();
      const base = event.currentTarget.getBoundingClientRect();
      marked.current = marker;
      marker.setAttribute('aria-describedby', id);
      show({source, top: marker.getBoundingClientRect().bottom - base.top + 6});
    } else if (target.closest('[role="tooltip"]')) clearTimeout(timer.current);
    else leave();
  };
  const leave = () => {
    clearTimeout(timer.current);
    timer.current = window.setTimeout(hide, LINGER_MS);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== 'Escape' || !shown) return;
    event.stopPropagation();
    event.preventDefault();
    hide();
  };
  const tip = shown && (
    <div id={id} role="tooltip" className="ask-docs-tip" style={{top: shown.top}} dir="auto">
      <strong>{shown.source.heading_path.join(' › ')}</strong>
      <span>{shown.source.snippet}</span>
    </div>
  );
  return {tip, handlers: {onMouseOver: point, onMouseLeave: leave, onFocus: point, onBlur: leave, onKeyDown}};
}
