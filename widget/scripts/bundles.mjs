// How the widget's parts are bundled: the one place that names esbuild's options.

import {mkdir, readFile, writeFile} from 'node:fs/promises';
import {fileURLToPath} from 'node:url';
import {build, transform} from 'esbuild';

export const root = fileURLToPath(new URL('..', import.meta.url));
const LOCALES = ['de', 'ar'];
const strings = async (locale) => JSON.parse(await readFile(`${root}src/strings/${locale}.json`, 'utf8'));

/** Style sheets as minified text: they are given to the page by code, when they are needed. */
const css = {
  name: 'css',
  setup({onLoad}) {
    onLoad({filter: /\.css$/}, async ({path}) => {
      const {code} = await transform(await readFile(path, 'utf8'), {loader: 'css', minify: true, target: TARGET});
      return {contents: code.trim(), loader: 'text'};
    });
  },
};

/** The English texts: for Docusaurus as calls that its translation finds, else as they are. */
function texts(isTranslated) {
  return {
    name: 'texts',
    setup({onResolve, onLoad}) {
      onResolve({filter: /^ask-docs:texts\//}, ({path}) => ({path, namespace: 'texts'}));
      onLoad({filter: /./, namespace: 'texts'}, async ({path}) => {
        const group = (await strings('en'))[path.split('/')[1]];
        if (!isTranslated) return {contents: JSON.stringify(group), loader: 'json'};
        const calls = Object.entries(group).map(
          ([id, message]) => `${id}: translate({id: "askDocs.${id}", message: ${JSON.stringify(message)}})`,
        );
        const contents = `import {translate} from '@docusaurus/Translate';\nexport default {${calls.join(',\n')}};`;
        return {contents, loader: 'js', resolveDir: root};
      });
    },
  };
}

/** Leaves the standalone panel a file of its own, which is loaded when it is first opened. */
const panelApart = {
  name: 'panel-apart',
  setup({onResolve}) {
    onResolve({filter: /^ask-docs:panel$/}, () => ({path: './ask-docs-panel.js', external: true}));
  },
};

const TARGET = 'es2022';
const shared = {
  absWorkingDir: root,
  bundle: true,
  format: 'esm',
  target: TARGET,
  jsx: 'automatic',
  charset: 'utf8',
  legalComments: 'none',
  logLevel: 'warning',
};

const SITES = ['react', 'react-dom', '@docusaurus/*', '@generated/*'];

/** The Docusaurus client, its chunks beside it; minified by the site's own build. */
export function clientBundle(outdir) {
  return build({
    ...shared,
    entryPoints: {index: 'src/client/index.ts'},
    outdir,
    splitting: true,
    chunkNames: '[name]-[hash]',
    external: [...SITES, 'dompurify'],
    plugins: [css, texts(true)],
  });
}

/** What a site's build makes of one part of the client: minified, without what the site has already and what is loaded later. */
export async function partOfClient(entry) {
  const later = {
    name: 'later',
    setup({onResolve}) {
      onResolve({filter: /./}, ({path, kind}) => (kind === 'dynamic-import' ? {path, external: true} : undefined));
    },
  };
  const plugins = [later, css, texts(true)];
  const {outputFiles} = await build({...shared, entryPoints: [entry], write: false, minify: true, external: SITES, plugins});
  return outputFiles[0].contents;
}

export function pluginBundle(outfile) {
  return build({
    ...shared,
    entryPoints: ['src/plugin/index.ts'],
    outfile,
    platform: 'node',
    target: 'node20',
    external: ['@docusaurus/*'],
  });
}

/** The standalone files: React is replaced by Preact, which does the same here in a tenth of the size. */
export async function standaloneBundle(outdir) {
  const options = {
    ...shared,
    outdir,
    minify: true,
    alias: {react: 'preact/compat', 'react-dom/client': 'preact/compat/client', 'react/jsx-runtime': 'preact/jsx-runtime'},
    plugins: [css, texts(false), panelApart],
  };
  await build({...options, entryPoints: {'ask-docs': 'src/standalone/index.ts'}});
  await build({...options, entryPoints: {'ask-docs-panel': 'src/standalone/panel.ts'}});
  for (const locale of LOCALES) {
    await writeFile(`${outdir}/ask-docs-${locale}.js`, `export default ${JSON.stringify(await strings(locale))};\n`);
  }
}

/** The translations as Docusaurus wants them: one flat object of ids. */
export async function localeFiles(outdir) {
  await mkdir(outdir, {recursive: true});
  for (const locale of LOCALES) {
    const {launcher, panel} = await strings(locale);
    const flat = Object.entries({...panel, ...launcher}).map(([id, text]) => [`askDocs.${id}`, text]);
    await writeFile(`${outdir}/${locale}.json`, `${JSON.stringify(Object.fromEntries(flat), null, 2)}\n`);
  }
}
