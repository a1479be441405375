// Shows a page of the site as a link of the site does: without a load, so that the panel stays as it is.

/**
 * Docusaurus keeps its history to itself: the panel has a React root of its own and is outside of its router. The router listens
 * to `popstate`, which the browser sends for Back and Forward, and shows whatever page the address then names.
 */
export function navigate(url: URL, baseUrl: string): boolean {
  if (url.origin !== location.origin || !url.pathname.startsWith(baseUrl)) return false;
  if (url.href !== location.href) history.pushState({key: Math.random().toString(36).slice(2, 8)}, '', url);
  dispatchEvent(new PopStateEvent('popstate', {state: history.state}));
  return true;
}
