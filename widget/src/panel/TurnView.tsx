// One question with its answer, and each way it can end.

import {memo} from 'react';
import {filled} from '../strings/texts';
import type {Turn} from '../chat/turn';
import {Answer} from './Answer';
import {Feedback} from './Feedback';
import {useHost} from './host';
import {RetryButton} from './RetryButton';
import {Sources} from './Sources';
import {failureText, notices, outcomeText, stageText} from './words';

export const TurnView = memo(function TurnView({turn}: {turn: Turn}) {
  const {texts} = useHost();
  const {state, ending, problem} = turn;
  const isOpen = state === 'waiting' || state === 'writing';
  return (
    <li className="ask-docs-turn" data-state={state} data-outcome={ending?.outcome}>
      <h3 className="ask-docs-question">
        <span className="ask-docs-unseen">{texts.youAsked} </span>
        <span dir="auto">{turn.question}</span>
      </h3>
      {turn.about === 'page' && <p className="ask-docs-about">{texts.aboutPage}</p>}
      {turn.about === 'selection' && (
        <p className="ask-docs-about">
          {texts.aboutSelection} <q>{turn.selection}</q>
        </p>
      )}
      {isOpen && !turn.text && (
        <p className="ask-docs-progress">
          <span className="ask-docs-dots" aria-hidden="true">
            <i />
            <i />
            <i />
          </span>
          {stageText(turn.stage, texts)}
        </p>
      )}
      {ending && <p className="ask-docs-outcome">{outcomeText(ending, texts)}</p>}
      {ending?.understood_as && (
        <p className="ask-docs-about" dir="auto">
          {filled(texts.understoodAs, {question: ending.understood_as})}
        </p>
      )}
      {turn.text && <Answer turn={turn} />}
      {!isOpen && !ending && turn.text && <p className="ask-docs-about">{texts.incomplete}</p>}
      {ending && <Notices items={notices(ending, texts)} />}
      <Sections turn={turn} />
      {state === 'stopped' && <p className="ask-docs-outcome">{texts.stopped}</p>}
      {problem && (
        <div className="ask-docs-problem">
          <p>{failureText(problem, texts)}</p>
          {problem.requestId && <p className="ask-docs-request">{filled(texts.requestId, {id: problem.requestId})}</p>}
        </div>
      )}
      <div className="ask-docs-foot">
        {ending && <Feedback turn={turn} />}
        {(state === 'stopped' || problem?.retryable || ending?.outcome === 'degraded') && <RetryButton turn={turn} />}
      </div>
    </li>
  );
});

/** Cited sources once the answer is there; for a question the docs do not answer the closest pages, and never both. */
function Sections({turn}: {turn: Turn}) {
  const {texts} = useHost();
  const {ending} = turn;
  if (!ending) return null;
  const isWidened = ending.scope.widened;
  return ending.outcome === 'not_in_docs' || !ending.sources.length ? (
    <Sources title={texts.nearest} sources={ending.nearest} isCited={false} showScope={isWidened} />
  ) : (
    <Sources title={texts.sources} sources={ending.sources} isCited showScope={isWidened} />
  );
}

function Notices({items}: {items: string[]}) {
  if (!items.length) return null;
  return (
    <ul className="ask-docs-notice">
      {items.map((item) => (
        <li key={item}>{item}</li>
      ))}
    </ul>
  );
}
