// The languages that the standalone script brings along, each in a file of its own beside it.

import type {LauncherTexts, PanelTexts} from '../strings/texts';

export interface Locale {
  launcher: LauncherTexts;
  panel: PanelTexts;
}

const SHIPPED = ['de', 'ar'];

/** The file of a language such as `de` or `de-CH`; null for English and those that are not shipped. */
export function localeFile(language: string): string | null {
  const [name = ''] = language.toLowerCase().split('-');
  return SHIPPED.includes(name) ? `./ask-docs-${name}.js` : null;
}
