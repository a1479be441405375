// Makes the README's pictures: our own site with a real answer of the offline service in the panel.

import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';

import {serveForReal} from './harness/backend.mjs';
import {Reader} from './harness/reader.mjs';
import {launch} from './harness/world.mjs';

const WEBSITE = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'website');
const QUESTION = 'How do I index my own site?';

const service = await serveForReal(join(WEBSITE, 'build'), {SITE: 'ask-ai', SITE_TITLE: 'Ask AI for Docusaurus'});
const browser = await launch();
try {
  for (const colorScheme of ['light', 'dark']) {
    const context = await browser.newContext({baseURL: service.url, viewport: {width: 1280, height: 800}, colorScheme, reducedMotion: 'reduce'});
    const reader = await Reader.in(context, service.url);
    await reader.visit('/docs/quickstart');
    await reader.open();
    await reader.asked(QUESTION);
    await reader.panel.locator('.ask-docs-marker').first().waitFor();
    await reader.field.blur();
    await reader.page.screenshot({path: join(WEBSITE, 'static', 'img', `ask-${colorScheme}.png`)});
    await context.close();
  }
} finally {
  await browser.close();
  await service.close();
}
