// @vitest-environment node
import {execFileSync} from 'node:child_process';
import {readFileSync} from 'node:fs';
import {expect, test} from 'vitest';

const run = (script: string) => execFileSync('node', [`scripts/${script}.mjs`], {encoding: 'utf8'});

test('what readers load stays within its budgets', () => {
  expect(run('size')).toMatch(/everyPage +\d+ B gz of 1000\nfirstOpen +\d+ B gz of 35000\n/);
});

test('the standalone files of the demo page are what the sources make', () => {
  expect(run('check-standalone')).toContain('up to date');
});

test('the lock file names no registry', () => {
  const lock = readFileSync('package-lock.json', 'utf8');
  expect(lock).not.toContain('"resolved"');
  expect(lock).not.toMatch(/registry|npmjs/);
});
