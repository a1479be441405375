// @ts-check
// The site of our documentation. Where it is published and where its widget asks come from the environment:
// SITE_URL (scheme and host), BASE_URL (path), ASK_DOCS_API (address of the service; default: the site's own host).

import {themes} from 'prism-react-renderer';

const {SITE_URL = 'http://localhost:8000', BASE_URL = '/', ASK_DOCS_API = '/'} = process.env;

/** @type {import('@docusaurus/types').Config} */
const config = {
  title: 'Ask AI for Docusaurus',
  tagline: "Answers from your documentation's own pages, with links to the exact headings",
  favicon: 'img/logo.svg',
  url: SITE_URL,
  baseUrl: BASE_URL,
  future: {v4: true, faster: true},
  onBrokenLinks: 'throw',
  onBrokenAnchors: 'throw',
  onDuplicateRoutes: 'throw',
  markdown: {format: 'detect', hooks: {onBrokenMarkdownLinks: 'throw', onBrokenMarkdownImages: 'throw'}},
  plugins: [
    ['@docusaurus/plugin-content-docs', {path: 'docs', routeBasePath: 'docs', sidebarPath: './sidebars.js'}],
    ['docusaurus-plugin-ask-docs', {apiUrl: ASK_DOCS_API}],
    '@docusaurus/plugin-content-pages',
    '@docusaurus/plugin-css-cascade-layers',
    '@docusaurus/plugin-sitemap',
  ],
  themes: [['@docusaurus/theme-classic', {customCss: './src/css/site.css'}]],
  /** @type {import('@docusaurus/theme-common').ThemeConfig} */
  themeConfig: {
    colorMode: {respectPrefersColorScheme: true},
    navbar: {
      title: 'Ask AI for Docusaurus',
      logo: {alt: '', src: 'img/logo.svg', width: 28, height: 28},
      items: [{type: 'docSidebar', sidebarId: 'docs', label: 'Documentation', position: 'left'}],
    },
    docs: {sidebar: {hideable: true}},
    footer: {copyright: 'Ask AI for Docusaurus is free software under the Apache License 2.0.'},
    prism: {theme: themes.github, darkTheme: themes.dracula, additionalLanguages: ['bash', 'json', 'nginx', 'ini', 'python']},
  },
};

export default config;
