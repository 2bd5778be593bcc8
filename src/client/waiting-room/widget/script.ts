/** The script's own tag gives the URLs of the service and the style sheet, and with `data-lang` the language. */
export function findScript(): { baseUrl: string; styles: string; lang?: string | undefined } {
  const tag = (document.currentScript ??
    document.querySelector('script[src*="/session/widget.js"]')) as HTMLScriptElement | null;
  const source = new URL(tag?.src || "/api/v1/session/widget.js", location.href).href;
  return {
    baseUrl: source.replace(/\/api\/v1\/session\/widget\.js.*/, ""),
    styles: new URL("widget.css", source).href,
    lang: tag?.dataset.lang,
  };
}
