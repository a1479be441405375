// Puts the panel into the page, joins it to the conversation, and tells the page what happens in it.

import {createRoot} from 'react-dom/client';
import {hostsOf} from '../answer/links';
import {Conversation} from '../chat/conversation';
import {ConversationStorage} from '../chat/storage';
import type {Turn} from '../chat/turn';
import type {AskContext} from '../chat/types';
import type {AskDocsEvents, OpenDetail, PageOptions} from '../options';
import type {Panel as PanelHandle} from '../page/attach';
import {docsVersion, selectedText} from '../page/reading';
import {reopenOnNextPage} from '../page/reopening';
import css from '../styles/panel.css';
import {addStyles} from '../styles/sheet';
import {focusFallback, isSheet} from './dialog';
import {HostContext, type Host, type PanelHost} from './host';
import {Panel} from './Panel';
import {View} from './view';

/** The panel, closed. */
export function mount(host: Host): PanelHandle {
  addStyles(css);
  const {options} = host;
  const view = new View();
  const conversation = new Conversation(
    {apiUrl: options.apiUrl, siteKey: options.siteKey, context: () => whereabouts(options), ...analytics(options)},
    new ConversationStorage(options.apiUrl),
  );
  addEventListener('pagehide', conversation.keep);
  const place = document.createElement('div');
  document.body.append(place);
  const panelHost: PanelHost = {
    ...host,
    conversation,
    view,
    rules: (urls) => ({page: location.href, hosts: hostsOf(urls, location.href), siteOrigin: options.siteOrigin}),
    follow: (event, link) => follow(host, view, event, link),
  };
  createRoot(place).render(
    <HostContext.Provider value={panelHost}>
      <Panel />
    </HostContext.Provider>,
  );
  tellOpening(view);
  return {open: (detail, from) => open(panelHost, detail ?? {}, from)};
}

function open({view, conversation, launcher}: PanelHost, detail: OpenDetail, from: Element | null): void {
  const isQuiet = detail.quiet === true;
  // Who followed a link wants to read its page, which a sheet would cover.
  if (isQuiet && isSheet()) return;
  if (!view.shown().open) focusFallback.set(from === document.body ? launcher : from, isQuiet);
  const query = detail.query || takeQuestion();
  const selection = detail.selection ?? (query || isQuiet ? null : selectedText());
  view.change({open: true, selection: selection ?? view.shown().selection});
  launcher.hidden = true;
  if (query && detail.send) conversation.send(query, selection, selection ? 'selection' : null);
  else if (query) view.draft(query);
}

/** A link of the site keeps the panel open; a key held down means what it always means. */
function follow(host: Host, view: View, event: {preventDefault(): void; nativeEvent: MouseEvent}, link: HTMLAnchorElement): void {
  const {button, ctrlKey, metaKey, shiftKey, altKey} = event.nativeEvent;
  if (button !== 0 || ctrlKey || metaKey || shiftKey || altKey || link.target === '_blank') return;
  if (host.navigate(new URL(link.href))) {
    event.preventDefault();
    if (isSheet()) view.change({open: false});
    return;
  }
  reopenOnNextPage();
}

/** The question of a link with `?ask=`; taken out of the address, so that the page loaded again does not ask again. */
function takeQuestion(): string | null {
  const url = new URL(location.href);
  const question = url.searchParams.get('ask');
  if (question === null) return null;
  url.searchParams.delete('ask');
  history.replaceState(history.state, '', url);
  return question;
}

function whereabouts({locale, version}: PageOptions): AskContext {
  const found = version ?? docsVersion(location.pathname);
  return {
    page_url: location.href.slice(0, 2000),
    ...(found ? {version: found} : {}),
    ...(locale ? {locale} : {}),
  };
}

function analytics(options: PageOptions) {
  const about = (turn: Turn) => ({page: location.pathname, ...(options.questionsInEvents ? {query: turn.question} : {})});
  return {
    onAsked: (turn: Turn) => tell('ask-docs:asked', {...about(turn), about: turn.about}),
    onAnswered: (turn: Turn, milliseconds: number) =>
      tell('ask-docs:answered', {
        ...about(turn),
        outcome: turn.ending?.outcome ?? turn.state,
        sources: turn.ending?.sources.map((source) => source.url) ?? [],
        milliseconds,
      }),
    onRated: (turn: Turn) =>
      tell('ask-docs:rated', {...about(turn), rating: turn.rating!, outcome: turn.ending?.outcome ?? turn.state}),
  };
}

function tellOpening(view: View): void {
  let was = false;
  view.watch(() => {
    const {open: is} = view.shown();
    if (is !== was) tell(is ? 'ask-docs:opened' : 'ask-docs:closed', {page: location.pathname});
    was = is;
  });
}

function tell<Name extends keyof AskDocsEvents>(name: Name, detail: AskDocsEvents[Name]): void {
  dispatchEvent(new CustomEvent(name, {detail}));
}
