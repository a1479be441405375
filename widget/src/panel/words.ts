// Which text stands for what the service says: stages, parts that failed, kinds of failure.

import type {Problem} from '../chat/problem';
import type {Ending} from '../chat/types';
import type {PanelTexts} from '../strings/texts';

/** What is being done, for a reader who waits; nothing for a stage the widget does not know. */
export function stageText(stage: string, texts: PanelTexts): string {
  const known: Record<string, string> = {
    sending: texts.sending,
    searching: texts.searching,
    widened: texts.widened,
    writing: texts.writing,
  };
  return known[stage] ?? texts.searching;
}

/** What the reader should know about how the answer was made. */
export function notices(ending: Ending, texts: PanelTexts): string[] {
  const parts: Record<string, string> = {
    dense: texts.degradedDense,
    generation: ending.finish_reason === 'blocked' ? texts.blocked : texts.degradedGeneration,
    citations: texts.degradedCitations,
    history: texts.degradedHistory,
    budget: texts.degradedBudget,
  };
  const failed = ending.degraded.map((part) => parts[part] ?? texts.degradedOther);
  return [
    ...(ending.scope.widened ? [texts.scopeWidened] : []),
    ...new Set(failed),
    ...(ending.finish_reason === 'length' ? [texts.cutAtLength] : []),
  ];
}

export function failureText(problem: Problem, texts: PanelTexts): string {
  const {slug} = problem;
  const known: Record<string, string> = {
    offline: texts.failureOffline,
    unreachable: texts.failureUnreachable,
    cut: texts.failureCut,
    silent: texts.failureSilent,
    deadline: texts.failureSilent,
    'rate-limited': texts.failureRateLimited,
    overloaded: texts.failureBusy,
    'model-busy': texts.failureBusy,
    'invalid-request': texts.failureInvalid,
    'too-large': texts.failureInvalid,
    unauthorized: texts.failureRefused,
    'forbidden-origin': texts.failureRefused,
  };
  if (known[slug]) return known[slug];
  if (slug.startsWith('model-')) return texts.failureModel;
  if (slug.startsWith('search-') || slug.startsWith('index-')) return texts.failureSearch;
  return problem.detail || texts.failureOther;
}

export function outcomeText(ending: Ending, texts: PanelTexts): string {
  return {answered: texts.answered, not_in_docs: texts.notInDocs, degraded: texts.degraded}[ending.outcome];
}
