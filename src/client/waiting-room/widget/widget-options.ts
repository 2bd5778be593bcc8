import type { Token } from "../options.ts";

export interface WidgetOptions {
  /** Defaults to where the script came from. */
  baseUrl: string;
  token?: Token | undefined;
  /** `en` or `ko`; by default the page's language, else the browser's. */
  lang?: string | undefined;
  /** URL of widget.css. */
  styles: string;
}
