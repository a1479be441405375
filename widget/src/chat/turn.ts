// One question with its answer: a plain value that every event replaces by the next one.

import type {Problem} from './problem';
import type {ChatEvent, Ending, Source} from './types';

export interface Turn {
  /** The client_message_id: the same for every retry of a question that got no answer. */
  id: string;
  question: string;
  /** What the question is about: text the reader selected, or the page's own; sent along. */
  selection: string | null;
  about: 'selection' | 'page' | null;
  state: 'waiting' | 'writing' | 'done' | 'stopped' | 'failed';
  stage: string;
  text: string;
  /** Found while it is written; the cited ones once it is done. */
  sources: Source[];
  nearest: Source[];
  ending: Ending | null;
  messageId: string | null;
  problem: Problem | null;
  /** When it may be asked again, ms since the epoch. */
  retryAt: number;
  rating: 'up' | 'down' | null;
}

export function newTurn(question: string, selection: string | null, about: Turn['about']): Turn {
  return restarted({id: newId(), question, selection, about} as Turn);
}

/** The turn before its first event. After a whole answer it gets a new id: with the old one the same answer would come. */
export function restarted(turn: Turn): Turn {
  const {question, selection, about} = turn;
  return {
    id: turn.state === 'done' || turn.problem?.slug === 'message-reused' ? newId() : turn.id,
    question,
    selection,
    about,
    state: 'waiting',
    stage: 'sending',
    text: '',
    sources: [],
    nearest: [],
    ending: null,
    messageId: null,
    problem: null,
    retryAt: 0,
    rating: null,
  };
}

/** The turn after an event. */
export function after(turn: Turn, event: ChatEvent): Turn {
  switch (event.type) {
    case 'start':
      return {...turn, messageId: event.message_id || null};
    case 'status':
      return {...turn, stage: event.stage};
    case 'sources':
      return {...turn, sources: event.sources, nearest: event.nearest};
    case 'delta':
      return {...turn, state: 'writing', text: turn.text + event.text};
    case 'done': {
      const {type: _, ...ending} = event;
      return {...turn, state: 'done', ending, sources: ending.sources, nearest: ending.nearest};
    }
  }
}

/** A turn that was under way when its page was left: nobody writes it any more. */
export function halted(turn: Turn): Turn {
  return turn.state === 'waiting' || turn.state === 'writing' ? {...turn, state: 'stopped'} : turn;
}

export function failed(turn: Turn, problem: Problem, now: number): Turn {
  return {...turn, state: 'failed', problem, retryAt: problem.retryAfter ? now + problem.retryAfter * 1000 : 0};
}

function newId(): string {
  // randomUUID exists on https and localhost only.
  const random = crypto.getRandomValues(new Uint8Array(16));
  return `w_${Array.from(random, (byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}
