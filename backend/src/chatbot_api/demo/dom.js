// Builds elements from names and text. Nothing in this page ever parses a string as HTML.

/** A new element; `attributes` of null or false are left out, "class" and "text" included. Children are nodes or strings. */
export function element(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

/** An address that may be followed: http(s) or a path of this site. Null for all else (javascript:, data:, //host, user@host). */
export function safeAddress(raw) {
  if (typeof raw !== "string" || /[\u0000-\u0020\u007f\\]/.test(raw)) return null;
  if (raw.startsWith("/")) return raw.startsWith("//") ? null : raw;
  if (!/^https?:\/\//i.test(raw)) return null;
  try {
    const address = new URL(raw);
    return address.username || address.password ? null : address.href;
  } catch {
    return null;
  }
}

/** A link into a new tab, so that the conversation stays; its children alone when the address may not be followed. */
export function link(raw, attributes, ...children) {
  const href = safeAddress(raw);
  if (href === null) return element("span", { class: attributes.class ?? null }, ...children);
  return element("a", { ...attributes, href, target: "_blank", rel: "noopener noreferrer" }, ...children);
}
