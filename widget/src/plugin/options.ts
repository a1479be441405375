// The options of the plugin: their rules, their defaults, and messages that say how to mend them.

import {createRequire} from 'node:module';
import {inOrder} from '../page/shortcut';
import type {PageOptions} from '../options';
import type {StarterRule} from '../page/starters';

// Required, not imported: it is CommonJS whose names Node does not see, while Docusaurus' own loader sees nothing else.
const {Joi} = createRequire(import.meta.url)('@docusaurus/utils-validation') as typeof import('@docusaurus/utils-validation');

/** Questions for all pages, or for the pages of a path, of a language. */
export interface StarterOption extends StarterRule {
  locale?: string;
}

/** What stands in docusaurus.config. */
export interface PluginOptions extends Omit<PageOptions, 'starters' | 'locale' | 'version' | 'siteOrigin'> {
  starters: StarterOption[];
  questionsInEvents: boolean;
  id?: string;
}

const SHORTCUT = /^(?:(?:mod|alt|shift)\+)+[a-z0-9./]$/i;

const SHORTCUT_MESSAGE = '"shortcut" must be keys such as mod+i or alt+shift+a, or false for none';

const question = Joi.string().trim().min(1).max(200);
const starter = Joi.object({
  path: Joi.string().pattern(/^\//, 'a path that begins with a slash'),
  locale: Joi.string().max(35),
  questions: Joi.array().items(question).min(1).required(),
});

export const optionsSchema = Joi.object<PluginOptions>({
  id: Joi.string(),
  apiUrl: Joi.alternatives(Joi.string().uri({scheme: ['http', 'https']}), Joi.string().pattern(/^\/(?!\/)[^?#\s]*$/))
    .required()
    .messages({
      'alternatives.match':
        '"apiUrl" must be the address of the service: https://ask.example.com, or a path on your site such as /ask',
      'any.required': '"apiUrl" is missing: the address of the service, such as https://ask.example.com',
    }),
  title: Joi.string().trim().min(1).max(40),
  position: Joi.string().valid('start', 'end').default('end'),
  shortcut: Joi.alternatives(Joi.string().pattern(SHORTCUT).custom(inOrder), Joi.valid(false))
    .default('mod+i')
    .messages({'alternatives.match': SHORTCUT_MESSAGE, 'string.pattern.base': SHORTCUT_MESSAGE}),
  launcher: Joi.boolean().default(true),
  selectionButton: Joi.boolean().default(true),
  starters: Joi.array().items(Joi.alternatives(question, starter)).custom(grouped).default([]).messages({
    'alternatives.types': '"starters" must hold questions, or objects with questions and, if you like, path and locale',
  }),
  disclaimer: Joi.alternatives(
    Joi.string()
      .max(300)
      .custom((text: string) => ({text})),
    Joi.object({
      text: Joi.string().max(300),
      url: Joi.string().pattern(/^(https?:\/\/|\/(?!\/))/i, 'an address with http(s), or a path of the site'),
      label: Joi.string().max(60),
    }),
  ),
  siteKey: Joi.string().max(200),
  questionsInEvents: Joi.boolean().default(false),
});

/** Questions that stand by themselves are those of all pages. */
function grouped(given: (string | StarterOption)[]): StarterOption[] {
  const questions = given.filter((one) => typeof one === 'string');
  const rules = given.filter((one) => typeof one !== 'string');
  return questions.length ? [...rules, {questions}] : rules;
}
