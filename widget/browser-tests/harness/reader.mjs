// A reader of the site: what they see, press and hear of the widget, by the names they know it by.

import {expectSoon} from './patience.mjs';

/** Noise of the browser about replies that a test asked for. */
const EXPECTED = /Failed to load resource: (the server responded with a status of|net::ERR_(FAILED|INCOMPLETE_CHUNKED_ENCODING|CONNECTION|INTERNET_DISCONNECTED|EMPTY_RESPONSE))/;

export class Reader {
  /** What must never happen: a request to another host, an error of a script, a breach of the site's policy. */
  faults = [];
  requests = [];

  /** A reader with a tab in this context; the site and `others` are all the hosts that may be asked. */
  static async in(context, site, others = []) {
    const hosts = new Set([site, ...others].map((url) => new URL(url).host));
    const reader = new Reader(context, await context.newPage());
    await context.route(
      (url) => /^(https?|wss?|ftp):$/.test(url.protocol) && !hosts.has(url.host),
      (route) => {
        reader.faults.push(`asks another host: ${route.request().url()}`);
        return route.abort();
      },
    );
    context.on('page', (page) => page !== reader.page && reader.others.push(page));
    reader.watch(reader.page);
    return reader;
  }

  constructor(context, page) {
    Object.assign(this, {context, page, others: []});
    this.panel = page.getByRole('dialog', {name: 'Ask AI'});
    this.launcher = page.locator('.ask-docs-launcher');
    this.field = this.panel.getByRole('textbox', {name: 'Your question'});
    this.turns = this.panel.locator('.ask-docs-turn');
    this.nav = page.locator('nav.menu');
  }

  watch(page) {
    page.on('pageerror', (error) => this.faults.push(`script error: ${error.message}`));
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type()) && !EXPECTED.test(message.text())) this.faults.push(`console: ${message.text()}`);
    });
    page.on('request', (request) => this.requests.push(request));
  }

  /** Open a page of the site and wait until its scripts run. */
  async visit(path) {
    await this.page.goto(path);
    await this.page.waitForFunction(() => document.documentElement.dataset.hasHydrated === 'true');
  }

  async open() {
    await this.launcher.click();
    await this.panel.waitFor();
  }

  /** Ask, with the panel open. */
  async ask(question = 'How do I pair a lamp?') {
    await this.field.fill(question);
    await this.field.press('Enter');
  }

  /** Ask and wait until the answer is done; `outcome`: the words it ends with. */
  async asked(question, outcome = 'Answered from the docs') {
    const place = await this.turns.count();
    await this.ask(question);
    await this.turns.nth(place).locator('.ask-docs-outcome').getByText(outcome, {exact: true}).waitFor();
    await this.isIdle();
  }

  /** Waits until no answer is being written. */
  async isIdle() {
    await this.button('Send').waitFor();
  }

  button(name, within = this.panel) {
    return within.getByRole('button', {name, exact: true});
  }

  link(name, within = this.panel) {
    return within.getByRole('link', {name});
  }

  /** Waits until the panel shows this text; what is only spoken does not count. */
  async sees(text) {
    await this.panel.getByText(text).and(this.page.locator(':not([role=log], [role=log] *)')).last().waitFor();
  }

  /** The panel's visible text. */
  async text() {
    return (await this.panel.locator('> :not([role=log])').allInnerTexts()).join('\n');
  }

  path() {
    const {pathname, hash} = new URL(this.page.url());
    return pathname + hash;
  }

  js(script, argument) {
    return this.page.evaluate(script, argument);
  }

  /** Waits until `found` gives something true, and returns it. */
  until(found, what) {
    return expectSoon(found, what);
  }

  async hasFocus(locator) {
    return locator.evaluate((element) => element === document.activeElement);
  }

  async close() {
    await this.context.close();
  }
}
