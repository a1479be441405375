// Builds dist/, and the standalone files that the backend's demo page is served with.

import {execFileSync} from 'node:child_process';
import {copyFile, mkdir, rm} from 'node:fs/promises';
import {clientBundle, localeFiles, pluginBundle, root, standaloneBundle} from './bundles.mjs';
import {DEMO_FILES, demoFolder} from './demo.mjs';

const dist = `${root}dist`;
await rm(dist, {recursive: true, force: true});
await mkdir(`${dist}/standalone`, {recursive: true});
await pluginBundle(`${dist}/plugin/index.js`);
await clientBundle(`${dist}/client`);
await standaloneBundle(`${dist}/standalone`);
await localeFiles(`${dist}/locales`);
execFileSync('node_modules/.bin/tsc', ['-p', 'tsconfig.types.json'], {cwd: root, stdio: 'inherit'});
const demo = await demoFolder();
if (demo) for (const name of DEMO_FILES) await copyFile(`${dist}/standalone/${name}`, `${demo}/${name}`);
