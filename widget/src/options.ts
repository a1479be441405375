// The options as the page gets them, and the events the widget is opened by and tells of itself with.

import type {StarterRule} from './page/starters';

/** What both the plugin and the standalone script hand to the page, the defaults filled in. */
export interface PageOptions {
  /** Address of the service: `https://ask.example.com`, or a path on the site's own host such as `/ask`. */
  apiUrl: string;
  /** Name on the launcher and of the dialog. */
  title?: string;
  /** Side of the screen, in the direction of the text. */
  position: 'start' | 'end';
  /** Such as `mod+i`, where mod is Cmd or Ctrl; false for none. */
  shortcut: string | false;
  /** False: no button of ours; the panel opens by `data-ask-docs`, the shortcut, `?ask=` or the event. */
  launcher: boolean;
  /** False: no "Ask about this" beside selected text. */
  selectionButton: boolean;
  starters?: StarterRule[];
  /** Stands below the question; the default says that answers can be wrong. */
  disclaimer?: {text?: string; url?: string; label?: string};
  /** Sent as X-Site-Key. No secret: everyone who reads the page can read it. */
  siteKey?: string;
  /** True: the events for analytics hold the question's text. */
  questionsInEvents?: boolean;
  locale?: string;
  version?: string;
  /** The site's production origin. */
  siteOrigin?: string;
}

/** Detail of `ask-docs:open`, to be dispatched on `window` by whoever wants the panel open. */
export interface OpenDetail {
  query?: string;
  /** True: the question is asked at once; else it waits in the field. */
  send?: boolean;
  /** Text the question is about. */
  selection?: string;
  /** True: the focus stays in the page, as after a link of the panel was followed. */
  quiet?: boolean;
}

/** Details of the events that the widget dispatches on `window`, for analytics. `query`: only with `questionsInEvents`. */
export interface AskDocsEvents {
  'ask-docs:opened': {page: string};
  'ask-docs:closed': {page: string};
  'ask-docs:asked': {page: string; about: 'selection' | 'page' | null; query?: string};
  'ask-docs:answered': {page: string; outcome: string; sources: string[]; milliseconds: number; query?: string};
  'ask-docs:rated': {page: string; rating: 'up' | 'down'; outcome: string; query?: string};
}

declare global {
  interface WindowEventMap {
    'ask-docs:open': CustomEvent<OpenDetail | null>;
    'ask-docs:opened': CustomEvent<AskDocsEvents['ask-docs:opened']>;
    'ask-docs:closed': CustomEvent<AskDocsEvents['ask-docs:closed']>;
    'ask-docs:asked': CustomEvent<AskDocsEvents['ask-docs:asked']>;
    'ask-docs:answered': CustomEvent<AskDocsEvents['ask-docs:answered']>;
    'ask-docs:rated': CustomEvent<AskDocsEvents['ask-docs:rated']>;
  }
}
