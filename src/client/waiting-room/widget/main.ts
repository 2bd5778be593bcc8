/**
 * widget.js: the waiting room in a page, by one line and without a framework.
 *
 *   <script src="https://keys.example.com/api/v1/session/widget.js"></script>
 *   <keybeat-waiting-room user-id="jun"></keybeat-waiting-room>      or  KeybeatWaitingRoom.createSession("jun")
 *
 * What it promises: a closed page gives its place back; one that is reloaded, hidden, cached or still open in another
 * tab keeps it. It never takes the focus, and the page's Content-Security-Policy need only allow the service's host.
 */
import type { LimitOptions } from "../limit.ts";
import { type CreateOptions, createWaitingRoom, type WaitingRoom } from "../room.ts";
import { defineElement } from "./element.ts";
import { findScript } from "./script.ts";
import { Stay } from "./stay.ts";
import type { WidgetOptions } from "./widget-options.ts";

const script = findScript();
let options: WidgetOptions = { ...script, lang: script.lang };
let room: WaitingRoom | undefined;
const stays = new Map<string, Stay>();

const open = () => {
  room ??= createWaitingRoom(options);
  return room;
};

const widget = {
  /** Sets the service's URL, the user's token and the language; call it first. */
  configure(given: Partial<WidgetOptions>): void {
    options = { ...options, ...given };
    room = undefined;
  },
  /** Takes a seat or a place in line, and shows the user's position until it is given back. */
  createSession(userId: string, more?: CreateOptions) {
    const stay = stays.get(userId) ?? new Stay({ ...options, room: open(), userId, target: document });
    stays.set(userId, stay);
    return stay.start(more);
  },
  async closeSession(userId: string): Promise<void> {
    const stay = stays.get(userId);
    stays.delete(userId);
    await (stay ? stay.close() : open().closeSession(userId));
  },
  checkPosition: (userId: string) => open().checkPosition(userId),
  processWithLimit: <T>(userId: string, fn: (signal: AbortSignal) => T | Promise<T>, limit?: LimitOptions) =>
    open().processWithLimit(userId, fn, limit),
};

export type Widget = typeof widget;

Object.assign(window, { KeybeatWaitingRoom: widget });
defineElement(() => options);
