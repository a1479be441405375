// Says aloud what happens: the stage, then the answer by whole sentences, then how it ended. Never word by word.

import {useEffect, useRef} from 'react';
import {newSentences, plainText} from '../answer/speech';
import type {Turn} from '../chat/turn';
import type {PanelTexts} from '../strings/texts';
import {useHost} from './host';
import {failureText, notices, outcomeText, stageText} from './words';

export function Announcer({turn}: {turn: Turn | null}) {
  const {texts} = useHost();
  const region = useRef<HTMLDivElement>(null);
  const last = useRef<{id: string; said: number; key: string} | null>(null);
  useEffect(() => {
    if (!turn || !region.current) return;
    const isOver = turn.state !== 'waiting' && turn.state !== 'writing';
    if (last.current?.id !== turn.id || (turn.stage === 'sending' && last.current.key !== 'sending')) {
      // What was kept from another page, or from before, was said when it came.
      if (isOver) return;
      last.current = {id: turn.id, said: 0, key: ''};
      region.current.replaceChildren();
    }
    const {say, said} = newSentences(plainText(turn.text, texts.code), last.current.said, isOver);
    const key = isOver ? turn.state : turn.stage;
    const changed = key !== last.current.key && (isOver || !turn.text);
    last.current = {id: turn.id, said, key: changed ? key : last.current.key};
    speak(region.current, [say, changed ? event(turn, texts) : '']);
  }, [turn, texts]);
  return <div ref={region} className="ask-docs-unseen" role="log" aria-live="polite" aria-label={texts.conversation} />;
}

function speak(region: HTMLElement, sentences: string[]): void {
  for (const sentence of sentences.filter(Boolean)) {
    const line = document.createElement('p');
    line.textContent = sentence;
    region.append(line);
  }
}

/** Where the turn has come to, in a sentence or two. */
function event(turn: Turn, texts: PanelTexts): string {
  const {ending, problem} = turn;
  if (problem) return `${failureText(problem, texts)} ${turn.text ? texts.incomplete : ''}`;
  if (turn.state === 'stopped') return texts.stopped;
  if (!ending) return stageText(turn.stage, texts);
  const [name, listed] = ending.outcome === 'not_in_docs' ? [texts.nearest, ending.nearest] : [texts.sources, ending.sources];
  const found = listed.length ? `${name}: ${listed.length}.` : '';
  return [`${outcomeText(ending, texts)}.`, ...notices(ending, texts), found].join(' ').trim();
}
