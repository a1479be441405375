// Gives the page a style sheet without a <style> element, which a strict Content-Security-Policy would refuse.

export function addStyles(css: string): void {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(css);
  document.adoptedStyleSheets.push(sheet);
}
