// Asks axe about the page: WCAG 2.2 A and AA and its best practices.

import {readFileSync} from 'node:fs';
import {createRequire} from 'node:module';

const SOURCE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

/** What axe objects to in our parts of the page, one line each: the rule, where, and why. */
export async function objections(reader) {
  // Through the debugger's channel, which the site's policy does not bind.
  await reader.page.evaluate(SOURCE);
  const {violations, passes} = await reader.js(async (tags) => {
    // What moves has no colour yet.
    await Promise.all(document.getAnimations().map((animation) => animation.finished.catch(() => {})));
    const include = ['.ask-docs-launcher', '.ask-docs[open]', '.ask-docs-alert'].filter((one) => document.querySelector(one));
    return window.axe.run({include}, {runOnly: tags, resultTypes: ['violations', 'passes']});
  }, TAGS);
  if (passes.length < 3) throw new Error('axe saw nothing to check');
  return violations.flatMap(({id, nodes}) => nodes.map(({target, failureSummary}) => `${id}: ${target.join(' ')}: ${failureSummary}`));
}
