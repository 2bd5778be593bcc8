import { createWaitingRoom } from "../room.ts";
import { Stay } from "./stay.ts";
import type { WidgetOptions } from "./widget-options.ts";

const NAME = "keybeat-waiting-room";

/**
 * <keybeat-waiting-room user-id base-url lang token>: its user has a place while it is in the page, and gives it back
 * when it is removed. It fires keybeat-position, -promoted, -closed, -expired and -error, with the rest in `detail`.
 */
export function defineElement(readDefaults: () => WidgetOptions): void {
  class WaitingRoomElement extends HTMLElement {
    static observedAttributes = ["user-id", "base-url", "lang"];
    #stay: Stay | undefined;
    #current = "";

    connectedCallback(): void {
      this.#look();
    }

    disconnectedCallback(): void {
      this.#look();
    }

    attributeChangedCallback(): void {
      this.#look();
    }

    /** Deferred, to handle several attribute changes or a move of the element together. */
    #look(): void {
      queueMicrotask(() => {
        const userId = this.isConnected ? this.getAttribute("user-id") : null;
        const defaults = readDefaults();
        const options = {
          ...defaults,
          baseUrl: this.getAttribute("base-url") ?? defaults.baseUrl,
          lang: this.getAttribute("lang") ?? defaults.lang,
        };
        const wanted = userId ? JSON.stringify([userId, options.baseUrl, options.lang]) : "";
        if (wanted === this.#current) return;
        this.#current = wanted;
        const before = this.#stay;
        this.#stay = undefined;
        // One after the other, as perhaps only the language changed.
        const closed = before ? before.close().catch(() => {}) : undefined;
        if (!userId) return;
        // Read for every request, so that a page can renew it.
        const readToken = () => this.getAttribute("token") ?? undefined;
        const token = this.hasAttribute("token") ? readToken : defaults.token;
        const stay = this.#open({ ...options, token }, userId);
        if (!stay) return;
        this.#stay = stay;
        void Promise.resolve(closed).then(() => {
          if (this.#stay === stay) stay.start().catch(() => {}); // reported as keybeat-error
        });
      });
    }

    /** Undefined if an attribute is wrong, which no retry mends. */
    #open(options: WidgetOptions, userId: string): Stay | undefined {
      try {
        return new Stay({ ...options, room: createWaitingRoom(options), userId, target: this });
      } catch (error) {
        console.error(`<${NAME}>: ${(error as Error).message}`);
        this.dispatchEvent(new CustomEvent("keybeat-error", { detail: { error }, bubbles: true, composed: true }));
      }
    }
  }
  if (!customElements.get(NAME)) customElements.define(NAME, WaitingRoomElement);
}
