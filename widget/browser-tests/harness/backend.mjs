// The real service, offline: indexes a built site with the real indexer and serves it beside the API.

import {execFile, spawn} from 'node:child_process';
import {existsSync, mkdtempSync, rmSync} from 'node:fs';
import {createServer} from 'node:net';
import {tmpdir} from 'node:os';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {setTimeout as wait} from 'node:timers/promises';
import {promisify} from 'node:util';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');
const PYTHON = process.env.ASK_DOCS_PYTHON ?? join(ROOT, '.venv', 'bin', 'python');
const START_LIMIT_MS = 60_000;

/** Index `build` and serve it with its API. Returns its `url` and how to `close` it. */
export async function serveForReal(build, settings = {}) {
  if (!existsSync(PYTHON)) throw new Error(`There is no Python at ${PYTHON}: run \`make test\` once, or set ASK_DOCS_PYTHON.`);
  const data = mkdtempSync(join(tmpdir(), 'ask-docs-'));
  const port = await freePort();
  const env = {
    PATH: process.env.PATH,
    HOME: process.env.HOME,
    PYTHONPATH: join(ROOT, 'backend', 'src'),
    PROVIDER: 'offline',
    DATA_DIR: data,
    SITE_BUILD: build,
    PORT: String(port),
    RATE_LIMIT_PER_VISITOR: 'none',
    RATE_LIMIT_PER_ADDRESS: 'none',
    LOG_LEVEL: 'warning',
    ...settings,
  };
  // From the data folder, where no .env file is.
  await promisify(execFile)(PYTHON, ['-m', 'qdrant_indexer', 'index', build], {env, cwd: data});
  const service = spawn(PYTHON, ['-m', 'chatbot_api.server'], {env, cwd: data, stdio: ['ignore', 'inherit', 'inherit']});
  const ended = new Promise((resolve) => service.once('exit', resolve));
  const close = async () => {
    service.kill('SIGTERM');
    await ended;
    rmSync(data, {recursive: true, force: true});
  };
  const url = `http://127.0.0.1:${port}`;
  const end = Date.now() + START_LIMIT_MS;
  while (!(await isReady(url))) {
    if (service.exitCode !== null || Date.now() > end) {
      await close();
      throw new Error(`The service did not start; exit code ${service.exitCode}.`);
    }
    await wait(100);
  }
  return {url, close};
}

async function isReady(url) {
  try {
    return (await fetch(`${url}/health/ready`)).ok;
  } catch {
    return false;
  }
}

function freePort() {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const {port} = probe.address();
      probe.close(() => resolve(port));
    });
  });
}
