// Asks a question again, not before its time has come: a countdown in the button's own name.

import {useEffect, useState} from 'react';
import {secondsLeft} from '../chat/problem';
import type {Turn} from '../chat/turn';
import {filled} from '../strings/texts';
import {useHost} from './host';

export function RetryButton({turn}: {turn: Turn}) {
  const {conversation, texts} = useHost();
  const [left, setLeft] = useState(() => secondsLeft(turn.retryAt, Date.now()));
  useEffect(() => {
    const look = () => setLeft(secondsLeft(turn.retryAt, Date.now()));
    look();
    if (turn.retryAt <= Date.now()) return;
    const timer = setInterval(look, 250);
    return () => clearInterval(timer);
  }, [turn.retryAt]);
  return (
    // Not `disabled`: a button that loses the focus throws a keyboard's reader back to the beginning.
    <button type="button" className="ask-docs-retry" aria-disabled={left > 0} onClick={() => conversation.retry(turn)}>
      {left > 0 ? filled(texts.retryIn, {seconds: left}) : texts.retry}
    </button>
  );
}
