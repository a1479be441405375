// The panel of a Docusaurus site, in a chunk of its own: loaded when it is first opened.

import siteConfig from '@generated/docusaurus.config';
import i18n from '@generated/i18n';
import texts from 'ask-docs:texts/panel';
import type {Panel} from '../page/attach';
import {mount} from '../panel/mount';
import {navigate} from './navigation';
import {options} from './options';

export function load(launcher: HTMLElement): Panel {
  // The build leaves an empty list out.
  const here = {...options, starters: options.starters ?? [], locale: i18n.currentLocale, siteOrigin: siteConfig.url};
  return mount({options: here, texts, launcher, navigate: (url) => navigate(url, siteConfig.baseUrl)});
}
