// Serves a built site and the stand-in of the API on one address, under the policy the real service sends with a site.

import {createHash} from 'node:crypto';
import {once} from 'node:events';
import {existsSync, readdirSync, readFileSync, statSync} from 'node:fs';
import {createServer} from 'node:http';
import {extname, join, normalize} from 'node:path';

const TYPES = {
  '.css': 'text/css',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.xml': 'application/xml',
};

/** A server of `build` at `/`; requests `api` knows are answered by it. Returns its `url` and how to `close` it. */
export async function serveSite(build, api) {
  const policy = policyOf(build);
  const server = createServer((request, reply) => {
    const path = decodeURIComponent(new URL(request.url, 'http://site').pathname);
    if (api?.knows(request.method, path)) return void api.answer(request, reply, path);
    const file = fileAt(build, path);
    const name = file ?? join(build, '404.html');
    reply.writeHead(file ? 200 : 404, {
      'Content-Type': TYPES[extname(name)] ?? 'application/octet-stream',
      'Content-Security-Policy': policy,
      'Cache-Control': 'no-cache',
    });
    reply.end(request.method === 'HEAD' ? undefined : readFileSync(name));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = () => new Promise((resolve) => (server.closeAllConnections(), server.close(resolve)));
  return {url: `http://127.0.0.1:${server.address().port}`, close};
}

function fileAt(build, path) {
  const asked = join(build, normalize(path));
  const tried = [asked, `${asked}.html`, join(asked, 'index.html')];
  return tried.find((name) => name.startsWith(build) && existsSync(name) && statSync(name).isFile());
}

function policyOf(build) {
  const pages = readdirSync(build, {recursive: true}).filter((name) => name.endsWith('.html'));
  const inline = pages.flatMap((name) => [...readFileSync(join(build, name), 'utf8').matchAll(/<script(?![^>]*\bsrc=)[^>]*>([^]*?)<\/script>/g)]);
  const hashes = new Set(inline.map(([, code]) => `'sha256-${createHash('sha256').update(code).digest('base64')}'`));
  return (
    `default-src 'self'; script-src 'self' ${[...hashes].join(' ')}; style-src 'self'; style-src-attr 'unsafe-inline'; ` +
    "img-src 'self' data:; font-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'"
  );
}
