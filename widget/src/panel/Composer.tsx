// The question field: what is asked, about what, and the button that sends or stops.

import {useEffect, useId, useState, useSyncExternalStore, type KeyboardEvent, type RefObject} from 'react';
import {pageText} from '../page/reading';
import {useHost} from './host';
import {CloseIcon, SendIcon, StopIcon} from './icons';

/** What the service takes. */
const LONGEST_QUESTION = 2000;

export function Composer({input, isBusy}: {input: RefObject<HTMLTextAreaElement | null>; isBusy: boolean}) {
  const {conversation, view, texts, options} = useHost();
  const {draft, selection} = useSyncExternalStore(view.watch, view.shown);
  const [text, setText] = useState(draft.text);
  const [aboutPage, setAboutPage] = useState(false);
  const ids = {input: useId(), keys: useId()};
  useEffect(() => {
    if (draft.number) setText(draft.text);
  }, [draft]);

  const send = () => {
    if (!text.trim() || isBusy) return;
    const about = selection ? 'selection' : aboutPage ? 'page' : null;
    conversation.send(text, selection ?? (aboutPage ? pageText() : null), about);
    setText('');
    view.change({selection: null});
  };
  const onKeyDown = (event: KeyboardEvent) => {
    // Enter while a word is being composed (Japanese, Chinese) belongs to the composing; Safari tells by 229 alone.
    if (event.key !== 'Enter' || event.shiftKey || event.nativeEvent.isComposing || event.keyCode === 229) return;
    event.preventDefault();
    send();
  };
  const drop = () => {
    view.change({selection: null});
    input.current?.focus();
  };
  const {disclaimer} = options;
  return (
    <form
      className="ask-docs-composer"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      {selection ? (
        <p className="ask-docs-selection">
          <span>
            {texts.aboutSelection} <q>{selection}</q>
          </span>
          <button type="button" className="ask-docs-quiet" aria-label={texts.dropSelection} onClick={drop}>
            <CloseIcon />
          </button>
        </p>
      ) : (
        <button type="button" className="ask-docs-toggle" aria-pressed={aboutPage} onClick={() => setAboutPage(!aboutPage)}>
          {texts.aboutPage}
        </button>
      )}
      <div className="ask-docs-field">
        <label className="ask-docs-unseen" htmlFor={ids.input}>
          {texts.question}
        </label>
        <textarea
          ref={input}
          id={ids.input}
          rows={1}
          dir="auto"
          maxLength={LONGEST_QUESTION}
          enterKeyHint="send"
          placeholder={texts.placeholder}
          aria-describedby={ids.keys}
          value={text}
          onChange={(event) => setText(event.currentTarget.value)}
          onKeyDown={onKeyDown}
        />
        {/* One button for both, so that it keeps the focus when it changes its meaning. */}
        <button
          type={isBusy ? 'button' : 'submit'}
          className="ask-docs-send"
          aria-label={isBusy ? texts.stop : texts.send}
          onClick={isBusy ? conversation.stop : undefined}
        >
          {isBusy ? <StopIcon /> : <SendIcon />}
        </button>
      </div>
      <p className="ask-docs-unseen" id={ids.keys}>
        {texts.keys}
      </p>
      <p className="ask-docs-disclaimer">
        {disclaimer?.text ?? texts.disclaimer}
        {disclaimer?.url && (
          <>
            {' '}
            <a href={disclaimer.url} target="_blank" rel="noopener noreferrer">
              {disclaimer.label ?? texts.privacy}
            </a>
          </>
        )}
      </p>
    </form>
  );
}
