// What a reader can do with an answer: copy it, say whether it helps, and why.

import {useId, useRef, useState, type FormEvent, type ReactNode} from 'react';
import {followable} from '../answer/links';
import {ChatFailure} from '../chat/problem';
import type {Turn} from '../chat/turn';
import {copyText} from './copying';
import {useHost} from './host';
import {CopyIcon, DoneIcon, DownIcon, UpIcon} from './icons';

const LONGEST_COMMENT = 1000;

export function Feedback({turn}: {turn: Turn}) {
  const {conversation, texts, rules} = useHost();
  const [told, tell] = useState('');
  const [asks, setAsks] = useState(false);
  const [isCopied, setCopied] = useState(false);
  const bar = useRef<HTMLDivElement>(null);
  const id = useId();

  const rate = async (rating: 'up' | 'down', comment?: string) => {
    tell('');
    try {
      await conversation.rate(turn, rating, comment);
      setAsks(comment === undefined);
      tell(texts.rated);
    } catch (error) {
      if (!(error instanceof ChatFailure)) throw error;
      tell(texts.ratingFailed);
    }
  };
  const onComment = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const comment = String(new FormData(event.currentTarget).get('comment') ?? '').trim();
    if (comment && turn.rating) rate(turn.rating, comment);
  };
  const copy = async () => {
    const shown = bar.current?.closest('li')?.querySelector('.ask-docs-text');
    const sources = turn.sources.map((source) => {
      const url = followable(source.url, rules([source.url]));
      return `[${source.id}] ${source.heading_path.join(' › ')}${url ? ` ${url.href}` : ''}`;
    });
    setTimeout(() => setCopied(false), 2000);
    setCopied(shown ? await copyText([turn.text, ...(sources.length ? ['', ...sources] : [])].join('\n'), shown) : false);
  };
  const thumb = (rating: 'up' | 'down', name: string, icon: ReactNode) => (
    <button
      type="button"
      className="ask-docs-quiet"
      aria-label={name}
      aria-pressed={turn.rating === rating}
      onClick={() => rate(rating)}
    >
      {icon}
    </button>
  );
  return (
    <div className="ask-docs-feedback" ref={bar}>
      <button type="button" className="ask-docs-quiet" aria-label={isCopied ? texts.copied : texts.copyAnswer} onClick={copy}>
        {isCopied ? <DoneIcon /> : <CopyIcon />}
      </button>
      {turn.messageId && (
        <>
          {thumb('up', texts.helpful, <UpIcon />)}
          {thumb('down', texts.notHelpful, <DownIcon />)}
        </>
      )}
      <span role="status">{told}</span>
      {asks && (
        <form className="ask-docs-comment" onSubmit={onComment}>
          <label htmlFor={id}>{texts.comment}</label>
          <textarea id={id} name="comment" rows={2} dir="auto" maxLength={LONGEST_COMMENT} />
          <button type="submit" className="ask-docs-retry">
            {texts.sendComment}
          </button>
        </form>
      )}
    </div>
  );
}
