/**
 * widget.js: the waiting room in a page, by one line and without a framework.
 *
 *   <script src="https://keys.example.com/api/v1/session/widget.js"></script>
 *   <keybeat-waiting-room user-id="jun"></keybeat-waiting-room>      or  KeybeatWaitingRoom.createSession("jun")
 *
 * What it promises: a page that is closed gives its place back; one that is reloaded, hidden, put aside or still open in
 * another tab keeps it. It never takes the focus, and needs of the page's Content-Security-Policy only its own host.
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
  /** Where the service is, the user's token, the language; before the first call. */
  configure(given: Partial<WidgetOptions>): void {
    options = { ...options, ...given };
    room = undefined;
  },
  /** Takes a seat or a place in line, and shows where the user stands until it is given back. */
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
