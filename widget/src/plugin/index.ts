// The Docusaurus plugin: hands the options to the page, names the client module, and brings the translations along.

import {existsSync, readFileSync} from 'node:fs';
import {fileURLToPath} from 'node:url';
import type {LoadContext, OptionValidationContext, Plugin} from '@docusaurus/types';
import type {StarterRule} from '../page/starters';
import {optionsSchema, type PluginOptions, type StarterOption} from './options';

export type {AskDocsEvents, OpenDetail} from '../options';
export type {PluginOptions, StarterOption} from './options';

/** What an owner writes: everything but `apiUrl` may be left out; starters and disclaimer have short forms. */
export type Options = Pick<PluginOptions, 'apiUrl'> &
  Partial<Omit<PluginOptions, 'apiUrl' | 'starters' | 'disclaimer'>> & {
    starters?: (string | StarterOption)[];
    disclaimer?: string | PluginOptions['disclaimer'];
  };

const NAME = 'docusaurus-plugin-ask-docs';
const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

export default function askDocs(context: LoadContext, options: PluginOptions): Plugin<undefined> {
  const {currentLocale} = context.i18n;
  const {id: _, ...pageOptions} = options;
  return {
    name: NAME,
    getClientModules: () => [here('../client/index.js')],
    // Where `docusaurus write-translations` finds the texts.
    getPathsToWatch: () => [`${here('../client')}/*.js`],
    async contentLoaded({actions}) {
      const starters = startersIn(currentLocale, options.starters);
      // It is on every page: what is not set, and what the site's own data tells the panel, stays out.
      actions.setGlobalData({
        ...pageOptions,
        starters: starters.length ? starters : undefined,
        questionsInEvents: options.questionsInEvents || undefined,
      });
    },
    injectHtmlTags: () => ({headTags: preconnection(options.apiUrl, context.siteConfig.url)}),
    getDefaultCodeTranslationMessages: async () => translations(currentLocale),
  };
}

export function validateOptions({options, validate}: OptionValidationContext<Options, PluginOptions>): PluginOptions {
  return validate(optionsSchema as never, options);
}

/** The rules for a language, its own before those for all: of two for the same path the first one counts. */
function startersIn(locale: string, rules: StarterOption[]): StarterRule[] {
  const fitting = [...rules.filter((rule) => rule.locale === locale), ...rules.filter((rule) => !rule.locale)];
  return fitting.map(({path, questions}) => ({...(path ? {path} : {}), questions}));
}

/** Opens the connection to a service on another host while the page is read. */
function preconnection(apiUrl: string, siteUrl: string) {
  if (apiUrl.startsWith('/') || new URL(apiUrl).origin === siteUrl) return [];
  return [{tagName: 'link', attributes: {rel: 'preconnect', href: new URL(apiUrl).origin, crossorigin: 'anonymous'}}];
}

/** The texts of a language that the package brings along, by their ids; none for the others. */
function translations(locale: string): Record<string, string> {
  const names = [locale, locale.split('-')[0]!].map((name) => here(`../locales/${name}.json`));
  const file = names.find((name) => existsSync(name));
  return file ? (JSON.parse(readFileSync(file, 'utf8')) as Record<string, string>) : {};
}
