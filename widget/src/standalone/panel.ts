// The panel of the standalone script, in a file of its own: loaded when it is first opened.

import type {PageOptions} from '../options';
import type {Panel} from '../page/attach';
import {mount} from '../panel/mount';
import type {PanelTexts} from '../strings/texts';

export function load(options: PageOptions, texts: PanelTexts, launcher: HTMLElement): Panel {
  // Any site: a link loads its page, and there the panel opens again.
  return mount({options, texts, launcher, navigate: toPlaceOnThisPage});
}

/** Only another heading of the same page is shown without a load, and the browser does that by itself. */
function toPlaceOnThisPage(url: URL): boolean {
  const here = new URL(location.href);
  if (!url.hash || url.origin + url.pathname + url.search !== here.origin + here.pathname + here.search) return false;
  location.hash = url.hash;
  return true;
}
