// @ts-check
import {readdirSync} from 'node:fs';

const GROUPS = {
  Begin: ['intro', 'quickstart', 'index-your-site', 'how-an-answer-is-made'],
  'On your site': ['widget', 'widget-theming', 'widget-events', 'widget-contract', 'conversations', 'chatkit'],
  'Other programs': ['mcp', 'openai-compatible', 'ai-sdk', 'llms-txt'],
  'Models and index': ['offline-mode', 'gemini', 'qdrant', 'existing-collections', 'retrieval-quality'],
  'In production': [
    'configuration',
    'deploying',
    'scaling',
    'limits',
    'security',
    'health-and-logs',
    'operations',
    'errors',
    'troubleshooting',
  ],
  'The project': ['benchmarks', 'development', 'roadmap'],
};

// A page that no group names yet must not be out of reach.
const pages = readdirSync(new URL('docs', import.meta.url)).map((name) => name.replace(/\.mdx?$/, ''));
const grouped = Object.values(GROUPS).flat();
const groups = {...GROUPS, More: pages.filter((page) => !grouped.includes(page))};

/** @type {import('@docusaurus/plugin-content-docs').SidebarsConfig} */
const sidebars = {
  docs: Object.entries(groups)
    .map(([label, names]) => ({label, items: names.filter((name) => pages.includes(name))}))
    .filter(({items}) => items.length > 0)
    .map((group) => ({...group, type: /** @type {const} */ ('category'), collapsed: false})),
};

export default sidebars;
