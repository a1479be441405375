// The panel: its bar, the conversation, the question field.

import {useCallback, useEffect, useId, useRef, useState, useSyncExternalStore, type KeyboardEvent} from 'react';
import {Announcer} from './Announcer';
import {Composer} from './Composer';
import {keepTabInside, useDialog} from './dialog';
import {useHost} from './host';
import {CloseIcon} from './icons';
import {TurnView} from './TurnView';
import {Welcome} from './Welcome';

export function Panel() {
  const {conversation, view, options, texts, launcher} = useHost();
  const {open} = useSyncExternalStore(view.watch, view.shown);
  const turns = useSyncExternalStore(conversation.watch, conversation.turns);
  const isBusy = useSyncExternalStore(conversation.watch, () => conversation.busy);
  const dialog = useRef<HTMLDialogElement>(null);
  const input = useRef<HTMLTextAreaElement>(null);
  const list = useRef<HTMLOListElement>(null);
  const title = useId();
  useDialog(dialog, input, open, launcher, !options.launcher);
  const close = useCallback(() => view.change({open: false}), [view]);

  // The newest question moves to the top; its answer then fills the panel without pushing anything about.
  const latest = turns.at(-1)?.id;
  useEffect(() => {
    const newest = list.current?.lastElementChild as HTMLElement | null | undefined;
    if (open && newest) newest.parentElement!.parentElement!.scrollTop = newest.offsetTop - 16;
  }, [latest, open]);

  const onKeyDown = (event: KeyboardEvent<HTMLDialogElement>) => {
    if (event.key === 'Escape' && !event.nativeEvent.isComposing) {
      event.preventDefault();
      close();
    } else if (dialog.current) keepTabInside(event, dialog.current);
  };
  const startAnew = () => {
    conversation.startAnew();
    input.current?.focus();
  };
  return (
    <dialog
      ref={dialog}
      className={`ask-docs ask-docs-at-${options.position}`}
      aria-labelledby={title}
      tabIndex={-1}
      onKeyDown={onKeyDown}
      onCancel={(event) => {
        event.preventDefault();
        close();
      }}
    >
      <header className="ask-docs-bar">
        <h2 id={title}>{options.title ?? texts.title}</h2>
        {turns.length > 0 && (
          <button type="button" className="ask-docs-quiet" onClick={startAnew}>
            {texts.newChat}
          </button>
        )}
        <button type="button" className="ask-docs-quiet ask-docs-close" aria-label={texts.close} onClick={close}>
          <CloseIcon />
        </button>
      </header>
      <Offline />
      <div className="ask-docs-scroll">
        {turns.length === 0 && <Welcome key={String(open)} />}
        <ol ref={list} className="ask-docs-turns" aria-label={texts.conversation}>
          {turns.map((turn) => (
            <TurnView key={turn.id} turn={turn} />
          ))}
        </ol>
      </div>
      <Composer input={input} isBusy={isBusy} />
      <Announcer turn={turns.at(-1) ?? null} />
    </dialog>
  );
}

function Offline() {
  const {texts} = useHost();
  const [isOffline, set] = useState(!navigator.onLine);
  useEffect(() => {
    const look = () => set(!navigator.onLine);
    addEventListener('online', look);
    addEventListener('offline', look);
    return () => {
      removeEventListener('online', look);
      removeEventListener('offline', look);
    };
  }, []);
  return <div role="status">{isOffline && <p className="ask-docs-notice ask-docs-offline">{texts.offline}</p>}</div>;
}
