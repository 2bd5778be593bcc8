import type { TakeoverNews } from "./device/api.ts";

/** A part of the page, with a link to it at the top. */
export interface Area {
  link: string;
  /** Of its first view; the addresses of the others begin with it. */
  href: string;
  /** The view at this address; undefined: it is none of this area. */
  open(hash: string): View | undefined;
}

/** One view lives at a time; it is told what happens while it does. */
export interface View {
  title: string;
  element: HTMLElement;
  /** Loads all that it shows, again. */
  refresh(): void;
  /** Comes every 3 s while the service and its database answer. */
  onNumbers?(numbers: { live: number }): void;
  onTakeover?(news: TakeoverNews): void;
  onChange?(): void;
  leave?(): void;
}
