// The options of the standalone script: a JSON file, and data attributes of the script element, which win.

import type {PageOptions} from '../options';
import {inOrder} from '../page/shortcut';
import type {StarterRule} from '../page/starters';

const DEFAULTS = {
  position: 'end',
  shortcut: 'mod+i',
  launcher: true,
  selectionButton: true,
  starters: [] as StarterRule[],
} as const;

type Values = DOMStringMap | Record<string, string | undefined>;

/** `data`: the script's data attributes. `given`: content of `data-config`. `scriptUrl`: without an apiUrl its origin is asked. */
export function standaloneOptions(data: Values, given: unknown, scriptUrl: string): PageOptions {
  const base = (typeof given === 'object' && given !== null ? given : {}) as Partial<PageOptions>;
  const options: PageOptions = {...DEFAULTS, ...base, apiUrl: data.apiUrl ?? base.apiUrl ?? new URL(scriptUrl).origin};
  for (const name of ['title', 'siteKey', 'locale', 'version', 'siteOrigin'] as const) {
    const value = data[name];
    if (value) options[name] = value;
  }
  if (data.position === 'start' || data.position === 'end') options.position = data.position;
  const shortcut = data.shortcut ?? options.shortcut;
  options.shortcut = !shortcut || shortcut === 'false' ? false : inOrder(shortcut);
  for (const name of ['launcher', 'selectionButton', 'questionsInEvents'] as const) {
    if (data[name] !== undefined) options[name] = data[name] !== 'false';
  }
  if (data.disclaimer || data.disclaimerUrl) {
    options.disclaimer = {
      ...(data.disclaimer ? {text: data.disclaimer} : {}),
      ...(data.disclaimerUrl ? {url: data.disclaimerUrl} : {}),
    };
  }
  const questions = data.starters
    ?.split('|')
    .map((question) => question.trim())
    .filter(Boolean);
  if (questions?.length) options.starters = [{questions}];
  if (options.disclaimer?.url && !/^(https?:\/\/|\/(?!\/))/i.test(options.disclaimer.url)) delete options.disclaimer.url;
  return options;
}
