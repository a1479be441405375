// What the panel is given: the page's options and texts, the conversation, and what it may do to the page.

import {createContext, useContext} from 'react';
import type {LinkRules} from '../answer/links';
import type {Conversation} from '../chat/conversation';
import type {PageOptions} from '../options';
import type {PanelTexts} from '../strings/texts';
import type {View} from './view';

/** What differs between Docusaurus and a plain site. */
export interface Host {
  options: PageOptions;
  texts: PanelTexts;
  launcher: HTMLElement;
  /** Shows a page of the site, if it can without a load; false: the link is to be followed the usual way. */
  navigate(url: URL): boolean;
}

export interface PanelHost extends Host {
  conversation: Conversation;
  view: View;
  /** Addresses that may be followed beside those of the site: hosts of the given sources. */
  rules(urls: readonly string[]): LinkRules;
  /** Handles a click on one of the panel's links. */
  follow(event: {preventDefault(): void; nativeEvent: MouseEvent}, link: HTMLAnchorElement): void;
}

export const HostContext = createContext<PanelHost | null>(null);

export function useHost(): PanelHost {
  const host = useContext(HostContext);
  if (!host) throw new Error('the panel is drawn inside its host');
  return host;
}
