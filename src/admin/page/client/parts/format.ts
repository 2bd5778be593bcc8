/** Numbers, moments and devices as people read them. Ages are by the server's clock, as the page's may be wrong. */
import type { SessionItem } from "../../../device/contract.ts";
import { el } from "./element.ts";

const LOCALE = "en-GB";
const whole = new Intl.NumberFormat(LOCALE);
const percent = new Intl.NumberFormat(LOCALE, { style: "percent", maximumFractionDigits: 1 });
const moment = new Intl.DateTimeFormat(LOCALE, { dateStyle: "medium", timeStyle: "medium" });
const clock = new Intl.DateTimeFormat(LOCALE, { hour: "2-digit", minute: "2-digit" });
const clockWithSeconds = new Intl.DateTimeFormat(LOCALE, { timeStyle: "medium" });
const day = new Intl.DateTimeFormat(LOCALE, { day: "numeric", month: "short" });
const AGES_EVERY_MS = 1_000;

let serverAheadMs = 0;

/** From the Date header of an answer, which counts whole seconds. */
export function noteServerTime(date: string | null): void {
  const ahead = date === null ? Number.NaN : Date.parse(date) - Date.now();
  if (!Number.isNaN(ahead)) serverAheadMs = Math.abs(ahead) < 2_000 ? 0 : ahead;
}

export const serverNow = () => Date.now() + serverAheadMs;
export const showNumber = (n: number) => whole.format(n);
export const showShare = (share: number | null) => (share === null ? "–" : percent.format(share));
export const showMoment = (iso: string) => moment.format(new Date(iso));
export const showClock = (ms: number) => clock.format(ms);
export const showClockWithSeconds = (ms: number) => clockWithSeconds.format(ms);
export const showDay = (ms: number) => day.format(ms);
export const count = (n: number, one: string, many = `${one}s`) => `${showNumber(n)} ${n === 1 ? one : many}`;

export function showDevice(device: SessionItem["device"]): string {
  if (device === null) return "unnamed device";
  return device.name || device.platform || "unnamed device";
}

/** What the name leaves out. */
export function showDeviceDetails(device: SessionItem["device"]): string {
  return [device?.name && device.platform, device?.app_version].filter(Boolean).join(" · ");
}

/** A moment, whole for whom it matters. */
export function dateTime(iso: string): HTMLTimeElement {
  return el("time", { datetime: iso }, showMoment(iso));
}

/** "12 s ago", kept true while it is shown; the moment itself is the tooltip. */
export function age(iso: string, suffix = " ago"): HTMLTimeElement {
  const element = el("time", { datetime: iso, "data-age": suffix, title: showMoment(iso) });
  element.textContent = showAge(iso, suffix);
  return element;
}

/** For the same element with a later moment. */
function setAge(element: HTMLTimeElement, iso: string): void {
  if (element.dateTime === iso) return;
  element.dateTime = iso;
  element.title = showMoment(iso);
}

/** When somebody was heard of last: changes all the time, and a row is not made anew for it. */
export function heard(iso: string): HTMLTimeElement {
  const element = age(iso);
  element.dataset.heard = "";
  return element;
}

export function renewHeard(row: HTMLElement, iso: string): void {
  const shown = row.querySelector<HTMLTimeElement>("time[data-heard]");
  if (shown) setAge(shown, iso);
}

export function keepAges(): void {
  setInterval(() => {
    if (document.hidden) return;
    for (const element of document.querySelectorAll<HTMLTimeElement>("time[data-age]")) {
      const text = showAge(element.dateTime, element.dataset.age ?? "");
      if (element.textContent !== text) element.textContent = text;
    }
  }, AGES_EVERY_MS);
}

function showAge(iso: string, suffix: string): string {
  return showDuration(serverNow() - Date.parse(iso)) + suffix;
}

export function showDuration(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 100) return `${seconds} s`;
  if (seconds < 5_400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 129_600) return `${Math.round(seconds / 3600)} h`;
  return `${whole.format(Math.round(seconds / 86_400))} days`;
}
