// Decides which addresses of an answer may be followed: http(s) on the site's own host and on those its sources name.

/** What an address is judged by. */
export interface LinkRules {
  /** Address of the page the reader is on. */
  page: string;
  /** Hosts besides the page's own. */
  hosts: ReadonlySet<string>;
  /** The site's production origin: in development and previews its pages are shown on the origin of the page. */
  siteOrigin?: string | undefined;
}

/** Spaces and control characters, which browsers drop from an address; and the backslash, which they take for a slash. */
const MISLEADING = /[\u0000-\u0020\u007f-\u009f\\]/;

/** The address to follow; null for `javascript:`, `data:`, `//host`, `user@host`, relative paths, and hosts nobody named. */
export function followable(raw: string, rules: LinkRules): URL | null {
  if (!raw || MISLEADING.test(raw)) return null;
  if (!/^(https?:\/\/|\/(?!\/)|#)/i.test(raw)) return null;
  const url = parsed(raw, rules.page);
  if (!url || !/^https?:$/.test(url.protocol) || url.username || url.password) return null;
  const own = new URL(rules.page);
  if (rules.siteOrigin && url.origin === rules.siteOrigin && url.origin !== own.origin) {
    return new URL(url.pathname + url.search + url.hash, own.origin);
  }
  return url.host === own.host || rules.hosts.has(url.host) ? url : null;
}

/** Hosts of the addresses of sources, which come from the index and not from a model. */
export function hostsOf(urls: readonly string[], page: string): Set<string> {
  const hosts = urls
    .filter((raw) => /^https?:\/\//i.test(raw) && !MISLEADING.test(raw))
    .map((raw) => parsed(raw, page)?.host)
    .filter((host) => host !== undefined);
  return new Set(hosts);
}

function parsed(raw: string, base: string): URL | null {
  try {
    return new URL(raw, base);
  } catch {
    return null;
  }
}
