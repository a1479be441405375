// A site as `create-docusaurus` makes it, with the packed widget added by the three lines of its README.

import {execFile} from 'node:child_process';
import {existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {promisify} from 'node:util';

const TESTS = dirname(dirname(fileURLToPath(import.meta.url)));
const WIDGET = dirname(TESTS);
const FOLDER = join(TESTS, 'fresh');
const VERSION = '3.10.2';
const run = promisify(execFile);
const QUIET = ['--no-audit', '--no-fund', '--no-progress', '--prefer-offline'];

/** Makes the site, adds the packed widget and builds it; returns the folder of the build. `onlyInstall`: what can be done ahead. */
export async function freshSite({onlyInstall = false} = {}) {
  const site = join(FOLDER, 'site');
  if (!existsSync(join(site, 'node_modules', '@docusaurus', 'preset-classic'))) {
    rmSync(site, {recursive: true, force: true});
    mkdirSync(FOLDER, {recursive: true});
    const created = ['--yes', `create-docusaurus@${VERSION}`, 'site', 'classic', '--javascript', '--skip-install'];
    await run('npx', created, {cwd: FOLDER});
    const file = join(site, 'package.json');
    const manifest = JSON.parse(readFileSync(file, 'utf8'));
    // The search the preset brings asks for a patch release of which a part may be missing.
    manifest.overrides = {'@docsearch/react': '4.6.0', '@docsearch/core': '4.6.0', '@docsearch/css': '4.6.0'};
    writeFileSync(file, JSON.stringify(manifest, null, 2));
    await run('npm', ['install', ...QUIET], {cwd: site});
  }
  if (onlyInstall) return null;
  for (const name of readdirSync(FOLDER).filter((one) => one.endsWith('.tgz'))) rmSync(join(FOLDER, name));
  await run('npm', ['pack', WIDGET, '--pack-destination', FOLDER, '--ignore-scripts'], {cwd: FOLDER});
  const [packed] = readdirSync(FOLDER).filter((one) => one.endsWith('.tgz'));
  await run('npm', ['install', join(FOLDER, packed), ...QUIET], {cwd: site});
  configure(join(site, 'docusaurus.config.js'));
  await run('npx', ['docusaurus', 'build'], {cwd: site});
  return join(site, 'build');
}

/** The lines an owner adds; the rest of the file stays as it was made. */
function configure(file) {
  const config = readFileSync(file, 'utf8');
  if (config.includes('docusaurus-plugin-ask-docs')) return;
  const added = "  plugins: [\n    ['docusaurus-plugin-ask-docs', {apiUrl: '/'}],\n  ],\n\n  presets: [";
  writeFileSync(file, config.replace('  presets: [', added));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await freshSite({onlyInstall: true});
