// Where the backend's demo page keeps its copy of the standalone files; only in the repository, not in the package.

import {stat} from 'node:fs/promises';
import {fileURLToPath} from 'node:url';

/** The demo is in English; the files of the languages are not needed there. */
export const DEMO_FILES = ['ask-docs.js', 'ask-docs-panel.js'];

export async function demoFolder() {
  const folder = fileURLToPath(new URL('../../backend/src/chatbot_api/demo', import.meta.url));
  return (await stat(folder).catch(() => null)) ? folder : null;
}
