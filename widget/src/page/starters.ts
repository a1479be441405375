// Questions to begin with: those the owner gave for this page, else those its own headings are.

/** Questions for the pages whose path begins with `path`; without one for all pages. */
export interface StarterRule {
  path?: string;
  questions: string[];
}

export const MOST_STARTERS = 4;

const IMPERATIVE = new RegExp(
  '^(add|ask|build|call|change|check|choose|configure|connect|create|debug|deploy|disable|embed|enable|evaluate|find|host|' +
    'import|install|limit|listen|load|measure|migrate|monitor|move|open|pair|protect|publish|reset|restart|roll|rotate|run|save|scale|' +
    'search|secure|send|serve|set|show|start|stop|switch|test|tune|update|upgrade|use|watch|write) .+',
  'i',
);

/** The questions of the rule that fits the page most closely, else those its headings are. */
export function startersFor(
  path: string,
  rules: readonly StarterRule[],
  headings: readonly string[],
  isEnglish: boolean,
): string[] {
  const fitting = rules.filter((rule) => path.startsWith(rule.path ?? ''));
  const closest = fitting.sort((one, other) => (other.path ?? '').length - (one.path ?? '').length)[0];
  const questions = closest?.questions ?? headings.map((heading) => asQuestion(heading, isEnglish)).filter((one) => one !== null);
  return [...new Set(questions)].slice(0, MOST_STARTERS);
}

/** The heading as a question, when it is one or, in English, tells to do something. */
export function asQuestion(heading: string, isEnglish: boolean): string | null {
  const text = heading
    .replace(/[\u200b#]+$/, '')
    .replace(/\s+/g, ' ')
    .trim()
    .replace(/[.:]$/, '');
  if (text.length < 8 || text.length > 80) return null;
  if (/[?？؟]$/.test(text)) return text;
  return isEnglish && IMPERATIVE.test(text) ? `How do I ${text.charAt(0).toLowerCase()}${text.slice(1)}?` : null;
}
