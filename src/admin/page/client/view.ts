import type { TakeoverNews } from "./shapes.ts";

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
