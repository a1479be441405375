// Builds the fixture site, with and without the widget, once per state of its sources.

import {execFile} from 'node:child_process';
import {createHash} from 'node:crypto';
import {existsSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {promisify} from 'node:util';

const TESTS = dirname(dirname(fileURLToPath(import.meta.url)));
export const FIXTURE = join(TESTS, 'fixture');
export const WEBSITE = join(TESTS, '..', '..', 'website');
const MODULES = join(WEBSITE, 'node_modules');
const PLUGIN = join(MODULES, 'docusaurus-plugin-ask-docs');

/** Folder of the built fixture. `kind`: `asking` has the widget, `plain` has not. */
export const buildOf = (kind) => join(FIXTURE, 'build', kind);

/** Builds what is not up to date. Docusaurus itself is the website's. */
export async function buildFixture(kind) {
  if (!existsSync(join(PLUGIN, 'package.json'))) throw new Error('The website is not installed: run `make site` first.');
  if (!existsSync(join(FIXTURE, 'node_modules'))) symlinkSync(MODULES, join(FIXTURE, 'node_modules'));
  const state = stateOf(kind === 'plain' ? [FIXTURE] : [FIXTURE, PLUGIN]);
  const stamp = join(buildOf(kind), '.state');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === state) return buildOf(kind);
  // Its folder of generated files is named by no option: two builds at once would overwrite each other's.
  const options = {cwd: FIXTURE, env: {...process.env, BUILD_OF: kind, NODE_ENV: 'production'}};
  rmSync(join(FIXTURE, '.docusaurus'), {recursive: true, force: true});
  // The bundler's cache knows a package by its version alone, and would build an earlier widget.
  rmSync(join(MODULES, '.cache'), {recursive: true, force: true});
  const command = join(MODULES, '@docusaurus', 'core', 'bin', 'docusaurus.mjs');
  await promisify(execFile)(process.execPath, [command, 'build', '--out-dir', join('build', kind), ...(kind === 'plain' ? ['--locale', 'en'] : [])], options);
  writeFileSync(stamp, state);
  return buildOf(kind);
}

function stateOf(folders) {
  const hash = createHash('sha256');
  for (const folder of folders) {
    for (const entry of readdirSync(folder, {recursive: true}).sort()) {
      if (/(^|\/)(node_modules|build|\.docusaurus|browser-tests)(\/|$)/.test(entry)) continue;
      const path = join(folder, entry);
      if (statSync(path).isFile()) hash.update(`${entry}\0`).update(readFileSync(path));
    }
  }
  return hash.digest('hex');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) for (const kind of ['asking', 'plain']) await buildFixture(kind);
