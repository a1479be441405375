// The types of the widget's texts; en.json holds the words, and the names of the placeholders in them.

import type en from './en.json';

export type LauncherTexts = Record<keyof typeof en.launcher, string>;
export type PanelTexts = Record<keyof typeof en.panel, string>;

/** The text with `{name}` replaced by the value of that name. */
export function filled(text: string, values: Record<string, string | number>): string {
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}
