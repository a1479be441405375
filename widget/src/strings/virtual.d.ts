// Modules that the build makes of en.json: as calls of Docusaurus' translate for the plugin, as plain objects for the standalone.

declare module 'ask-docs:texts/launcher' {
  const texts: import('./texts').LauncherTexts;
  export default texts;
}

declare module 'ask-docs:texts/panel' {
  const texts: import('./texts').PanelTexts;
  export default texts;
}

declare module '@generated/globalData' {
  const data: Record<string, Record<string, unknown>>;
  export default data;
}

declare module '*.css' {
  const text: string;
  export default text;
}

/** The standalone panel; the build leaves it a file of its own. */
declare module 'ask-docs:panel' {
  export const load: typeof import('../standalone/panel').load;
}
declare module '@generated/docusaurus.config' {
  const siteConfig: {url: string; baseUrl: string};
  export default siteConfig;
}
declare module '@generated/i18n' {
  const i18n: {currentLocale: string};
  export default i18n;
}
