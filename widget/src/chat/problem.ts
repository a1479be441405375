// Every way a question can fail, as one value: a slug that picks the reader's words, and when it may be asked again.

export interface Problem {
  /** `rate-limited`, `search-unavailable` …, or one of ours: `offline`, `unreachable`, `cut`, `silent`. */
  slug: string;
  /** The service's own sentence, for a slug the widget has no words for. */
  detail: string;
  retryable: boolean;
  /** Seconds to wait before asking again; 0 when nothing is known. */
  retryAfter: number;
  requestId: string | null;
}

export class ChatFailure extends Error {
  constructor(readonly problem: Problem) {
    super(problem.slug);
  }
}

/** A failure that the widget itself notices. */
export function ownFailure(slug: 'offline' | 'unreachable' | 'cut' | 'silent'): ChatFailure {
  return new ChatFailure({slug, detail: '', retryable: true, retryAfter: 0, requestId: null});
}

/** The problem a reply with an error status, or an `error` event, tells (RFC 9457). `status` 0: an event. */
export function problemOf(told: unknown, status: number, headers: Headers | null = null): Problem {
  const body = (typeof told === 'object' && told !== null ? told : {}) as Record<string, unknown>;
  const type = typeof body.type === 'string' ? body.type : '';
  return {
    slug: type.slice(type.lastIndexOf(':') + 1) || (status === 429 ? 'rate-limited' : status >= 500 ? 'unavailable' : 'failed'),
    detail: typeof body.detail === 'string' ? body.detail : '',
    retryable: typeof body.retryable === 'boolean' ? body.retryable : status === 0 || status === 429 || status >= 500,
    retryAfter: secondsOf(body.retry_after) || retryAfterSeconds(headers?.get('Retry-After') ?? null, Date.now()),
    requestId: typeof body.request_id === 'string' ? body.request_id : (headers?.get('X-Request-ID') ?? null),
  };
}

/** Seconds of a `Retry-After` header, a number or a date (RFC 9110, 10.2.3); 0 when it is missing or in the past. */
export function retryAfterSeconds(header: string | null, now: number): number {
  if (!header) return 0;
  if (/^\s*\d+\s*$/.test(header)) return secondsOf(Number(header));
  const date = Date.parse(header);
  return Number.isNaN(date) ? 0 : secondsOf((date - now) / 1000);
}

/** Whole seconds until `until` (ms since the epoch): what a countdown shows. Never negative. */
export function secondsLeft(until: number, now: number): number {
  return Math.max(0, Math.ceil((until - now) / 1000));
}

const LONGEST_WAIT_S = 86_400;

function secondsOf(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) && value > 0 ? Math.min(Math.ceil(value), LONGEST_WAIT_S) : 0;
}
