// How it looks: languages, both themes, on paper, without motion; and pictures of it all, to be looked at.

import assert from 'node:assert/strict';
import {mkdirSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {suite, test} from 'node:test';
import {fileURLToPath} from 'node:url';

import {answer, degraded, notInDocs, refuse} from './harness/stand-in.mjs';
import {skip, world} from './harness/world.mjs';

const PICTURES = join(dirname(fileURLToPath(import.meta.url)), 'screenshots');
const PHONE = {viewport: {width: 390, height: 844}, deviceScaleFactor: 2, hasTouch: true, isMobile: true};
const DESK = {viewport: {width: 1280, height: 800}};

/** Relative luminance of a CSS colour as the browser computes it: 0 black, 1 white. */
const luminance = (element, property) =>
  element.evaluate((one, name) => {
    const [red, green, blue] = getComputedStyle(one)[name].match(/[\d.]+/g).map((part) => part / 255);
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  }, property);

suite('looks', {skip}, () => {
  mkdirSync(PICTURES, {recursive: true});
  const site = world();
  const picture = (reader, name) => reader.page.screenshot({path: join(PICTURES, `${name}.png`)});

  test('it is of the theme the site is of, and changes with it while it is open', async () => {
    const reader = await site.opens('/docs/lamps', {...DESK, colorScheme: 'light'});
    await reader.open();
    await reader.asked();
    assert.ok((await luminance(reader.panel, 'backgroundColor')) > 0.8);
    await picture(reader, 'desk-light');
    await reader.js(() => document.documentElement.setAttribute('data-theme', 'dark'));
    await reader.until(async () => (await luminance(reader.panel, 'backgroundColor')) < 0.2, 'the panel turned dark');
    await picture(reader, 'desk-dark');
  });

  test('it stands in German on a German site', async () => {
    const reader = await site.opens('/de/docs/lamps', DESK);
    const launcher = await reader.launcher.innerText();
    await reader.launcher.click();
    const panel = reader.page.getByRole('dialog');
    await panel.waitFor();
    await panel.getByRole('textbox').first().fill('Wie?');
    await panel.getByRole('textbox').first().press('Enter');
    await panel.locator('.ask-docs-marker').first().waitFor();
    assert.match(`${launcher} ${await panel.innerText()}`, /Fragen|Frage|Antwort|Quellen/);
    assert.doesNotMatch(await panel.innerText(), /Sources|Ask a question|Answered from/);
    assert.equal(new URL(site.api.asked[0].body.context.page_url, site.url).pathname, '/de/docs/lamps');
    assert.equal(site.api.asked[0].body.context.locale, 'de');
    await picture(reader, 'german');
  });

  test('it stands in Arabic, from right to left, on the other side', async () => {
    const reader = await site.opens('/ar/docs/lamps', DESK);
    await reader.launcher.click();
    const panel = reader.page.getByRole('dialog');
    await panel.waitFor();
    await reader.until(async () => Math.round((await panel.boundingBox()).x) === 0, 'the panel is on the left');
    assert.equal(await panel.evaluate((one) => getComputedStyle(one).direction), 'rtl');
    assert.match(await panel.innerText(), /[\u0600-\u06ff]{3}/);
    await panel.getByRole('textbox').first().fill('كيف؟');
    await panel.getByRole('textbox').first().press('Enter');
    await panel.locator('.ask-docs-marker').first().waitFor();
    assert.equal(await panel.locator('pre').first().evaluate((code) => getComputedStyle(code).direction), 'ltr', 'code is read from the left');
    await picture(reader, 'arabic');
  });

  test('on paper there is neither launcher nor panel', async () => {
    const reader = await site.opens('/docs/lamps', DESK);
    await reader.page.emulateMedia({media: 'print'});
    await reader.launcher.waitFor({state: 'hidden'});
    await reader.page.emulateMedia({media: 'screen'});
    await reader.open();
    await reader.page.emulateMedia({media: 'print'});
    await reader.panel.waitFor({state: 'hidden'});
  });

  test('who wants no motion gets none', async () => {
    const reader = await site.opens('/docs/lamps', {...DESK, reducedMotion: 'reduce'});
    site.api.will(answer(['Hold ', 'it.'], {held: new Promise(() => {})}));
    await reader.open();
    await reader.ask();
    await reader.sees('Hold');
    const moving = await reader.js(() =>
      document
        .getAnimations()
        .filter((one) => one.effect?.target?.closest('.ask-docs, .ask-docs-launcher') && one.effect.getComputedTiming().duration > 1)
        .map((one) => one.animationName ?? one.transitionProperty),
    );
    assert.deepEqual(moving, []);
  });

  test('pictures of every state, to be looked at', async () => {
    for (const [device, options] of Object.entries({desk: DESK, phone: PHONE})) {
      for (const colorScheme of ['light', 'dark']) {
        const reader = await site.opens('/docs/lamps', {...options, colorScheme, reducedMotion: 'reduce'});
        const name = `${device}-${colorScheme}`;
        await picture(reader, `${name}-closed`);
        await reader.open();
        await picture(reader, `${name}-open`);
        await reader.asked();
        await picture(reader, `${name}-answered`);
        site.api.will(notInDocs());
        await reader.asked('How do I bake bread?', 'Not in the documentation');
        site.api.will(degraded());
        await reader.asked('And lamps?', 'Answered in part');
        await picture(reader, `${name}-outcomes`);
        site.api.will(refuse(429, {retryAfter: 30, slug: 'rate-limited'}));
        await reader.ask('Once more?');
        await reader.sees('Please wait a moment.');
        await picture(reader, `${name}-failed`);
        await reader.close();
      }
    }
  });
});
