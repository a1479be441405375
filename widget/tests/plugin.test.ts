// @vitest-environment node
import {existsSync, readFileSync} from 'node:fs';
import type {LoadContext} from '@docusaurus/types';
import {beforeAll, expect, test} from 'vitest';
import {clientBundle, localeFiles, pluginBundle, root} from '../scripts/bundles.mjs';
import {optionsSchema, type PluginOptions} from '../src/plugin/options';

interface Built {
  getClientModules(): string[];
  contentLoaded(args: {actions: {setGlobalData(data: unknown): void}}): Promise<void>;
  injectHtmlTags(): {headTags: {attributes: Record<string, string>}[]};
  getDefaultCodeTranslationMessages(): Promise<Record<string, string>>;
}

let plugin: (context: LoadContext, options: PluginOptions) => Built;
beforeAll(async () => {
  // Inside the package, so that what it imports is found.
  const built = `${root}node_modules/.cache/ask-docs-test`;
  await pluginBundle(`${built}/plugin/index.js`);
  await clientBundle(`${built}/client`);
  await localeFiles(`${built}/locales`);
  plugin = ((await import(/* @vite-ignore */ `${built}/plugin/index.js`)) as {default: typeof plugin}).default;
}, 60_000);

const context = (locale: string) =>
  ({i18n: {currentLocale: locale}, baseUrl: '/', siteConfig: {url: 'https://docs.example.com'}}) as unknown as LoadContext;
const made = (options: Record<string, unknown>, locale = 'en') =>
  plugin(context(locale), optionsSchema.validate({apiUrl: '/ask', ...options}).value!);

test('it names a client module that is there', () => {
  const [client] = made({}).getClientModules();
  expect(existsSync(client!)).toBe(true);
  expect(readFileSync(client!, 'utf8')).toContain('onRouteDidUpdate');
});

test("the page gets its own language's questions, the closest first, and no secret of the build", async () => {
  const starters = ['All?', {path: '/docs', locale: 'de', questions: ['Wie?']}, {path: '/docs', questions: ['How?']}];
  let data: Record<string, unknown> = {};
  const actions = {setGlobalData: (given: unknown) => void (data = given as typeof data)};
  await made({starters}, 'de').contentLoaded({actions});
  expect(data.starters).toEqual([
    {path: '/docs', questions: ['Wie?']},
    {path: '/docs', questions: ['How?']},
    {questions: ['All?']},
  ]);
  await made({starters}).contentLoaded({actions});
  expect(data.starters).toEqual([{path: '/docs', questions: ['How?']}, {questions: ['All?']}]);
});

test('a connection is opened early to a service on another host only', () => {
  const hosts = (apiUrl: string) =>
    made({apiUrl})
      .injectHtmlTags()
      .headTags.map((tag) => tag.attributes.href);
  expect(hosts('https://ask.example.com/api')).toEqual(['https://ask.example.com']);
  expect(hosts('/ask')).toEqual([]);
  expect(hosts('https://docs.example.com/ask')).toEqual([]);
});

test('translations are there for the shipped languages and their variants, and for others none', async () => {
  const texts = (locale: string) => made({}, locale).getDefaultCodeTranslationMessages();
  expect((await texts('de'))['askDocs.send']).toBe('Senden');
  expect((await texts('de-CH'))['askDocs.send']).toBe('Senden');
  expect((await texts('ar'))['askDocs.title']).toMatch(/[\u0600-\u06ff]/);
  expect(await texts('fr')).toEqual({});
});

test("the texts stand in the client as Docusaurus' own translation finds them", () => {
  const [client] = made({}).getClientModules();
  expect(readFileSync(client!, 'utf8')).toMatch(/translate\(\{ id: "askDocs\.title", message: "Ask AI" \}\)/);
});
