// The standalone script: the same widget for any site, by `<script type="module" src=".../ask-docs.js">`.

import english from 'ask-docs:texts/launcher';
import englishPanel from 'ask-docs:texts/panel';
import {attach} from '../page/attach';
import {isReopening} from '../page/reopening';
import {watchSelection} from '../page/selection';
import {standaloneOptions} from './options';
import {localeFile, type Locale} from './locales';

const script = Array.from(document.scripts).find((one) => one.src === import.meta.url);
const data = script?.dataset ?? {};

async function start(): Promise<void> {
  const options = standaloneOptions(data, data.config ? await jsonAt(data.config) : null, import.meta.url);
  const file = localeFile(options.locale ?? document.documentElement.lang);
  const locale: Locale | null = file
    ? await import(file).then(
        (module) => module.default,
        () => null,
      )
    : null;
  const texts = {...english, ...locale?.launcher};
  const look = attach(
    options,
    texts,
    async () => {
      const panel = await import('ask-docs:panel');
      return {load: (launcher) => panel.load(options, {...englishPanel, ...locale?.panel}, launcher)};
    },
    () => watchSelection((locale?.panel ?? englishPanel).askSelection),
  );
  look();
  if (isReopening()) dispatchEvent(new CustomEvent('ask-docs:open', {detail: {quiet: true}}));
}

async function jsonAt(url: string): Promise<unknown> {
  try {
    const reply = await fetch(url);
    return reply.ok ? await reply.json() : null;
  } catch {
    // Without its file the widget asks the host it came from.
    return null;
  }
}

start();
