// The words of the service's HTTP API, as far as the widget reads them (website/docs/widget-contract.md).

export type Outcome = 'answered' | 'not_in_docs' | 'degraded';

/** A heading of the site that an answer rests on, or that is nearest to a question the docs do not answer. */
export interface Source {
  /** The number in the text's markers: `[1]` is the source with id `1`. */
  id: string;
  title: string;
  heading_path: string[];
  url: string;
  snippet: string;
  version: string | null;
  locale: string | null;
}

/** Where a marker stands in the answer, in Unicode code points, end exclusive. */
export interface Citation {
  source_id: string;
  start: number;
  end: number;
}

export interface SearchedScope {
  version: string | null;
  locale: string | null;
  /** Nothing near enough was found in the reader's version and language, so the whole site was searched. */
  widened: boolean;
}

/** How an answer ended. */
export interface Ending {
  outcome: Outcome;
  degraded: string[];
  mode: string;
  finish_reason: string;
  citations: Citation[];
  sources: Source[];
  nearest: Source[];
  scope: SearchedScope;
  understood_as: string | null;
}

export type ChatEvent =
  | {type: 'start'; conversation_id: string; message_id: string}
  | {type: 'status'; stage: string}
  | {type: 'sources'; sources: Source[]; nearest: Source[]}
  | {type: 'delta'; text: string}
  | ({type: 'done'} & Ending);

/** Where the reader is; narrows the search. */
export interface AskContext {
  page_url: string;
  version?: string;
  locale?: string;
  selection?: string;
}

export interface AskRequest {
  query: string;
  conversation_id?: string;
  /** Sent again with it, a message gets the same answer: a retry asks nothing twice. */
  client_message_id: string;
  context: AskContext;
}
