/**
 * The page /key: which device uses a key, and how its sessions ended, for whoever enters it. The key stays in the field:
 * nothing stores it, and what is shown of it goes as soon as the field is changed.
 */
import { type Holder, type KeyEnding, lookAtKey, Refused, type Seen, signOut } from "./calls.ts";
import { chooseTexts, localeOf, type Trouble } from "./texts.ts";

const texts = chooseTexts();
const byId = <T extends HTMLElement>(id: string) => document.getElementById(id) as T;
const field = byId<HTMLInputElement>("key");
const sure = byId<HTMLDialogElement>("sure");
const buttons = [...document.querySelectorAll("button")];

/** The last look, and for which key. A later one makes it void. */
let looked: { key: string; holder?: Holder | undefined } | undefined;

for (const element of document.querySelectorAll<HTMLElement>("[data-text]")) {
  element.textContent = texts[element.dataset.text as "title"];
}
document.documentElement.lang = texts.code;
document.title = texts.title;

byId("ask").onsubmit = (event) => {
  event.preventDefault();
  void during(look);
};
field.oninput = forget;
byId("sign-out").onclick = () => sure.showModal();
byId("no").onclick = () => sure.close();
byId("yes").onclick = () => {
  sure.close();
  void during(signOutHolder);
};

/** Nothing can be pressed meanwhile; what is refused is shown. */
async function during(act: () => Promise<void>): Promise<void> {
  say("");
  showTrouble("");
  for (const button of buttons) button.disabled = true;
  try {
    await act();
  } catch (error) {
    const code = error instanceof Refused ? error.code : "unavailable";
    // What the field holds can be no key at all.
    const known = code === "invalid_request" ? "invalid_key" : code;
    showTrouble(texts.troubles[known as Trouble] ?? texts.troubles.unavailable);
  } finally {
    for (const button of buttons) button.disabled = false;
  }
}

async function look(): Promise<void> {
  forget();
  const key = field.value;
  const seen = await lookAtKey(key);
  if (field.value !== key) return;
  looked = { key, holder: seen.holder };
  show(seen);
}

async function signOutHolder(): Promise<void> {
  if (looked?.holder === undefined) return;
  const { key, holder } = looked;
  try {
    const done = await signOut(key, holder.generation);
    await look();
    say(done ? texts.signedOut : texts.wasGone);
    byId("now-title").focus();
  } catch (error) {
    if (!(error instanceof Refused) || error.code !== "holder_changed") throw error;
    await look();
    showTrouble(texts.changed);
  }
}

function forget(): void {
  looked = undefined;
  byId("now").hidden = byId("past").hidden = true;
}

function show({ holder, leasedUntil, endings }: Seen): void {
  byId("nobody").hidden = holder !== undefined;
  byId("holder").hidden = holder === undefined;
  if (holder) showHolder(holder);
  byId("leased").textContent = leasedUntil ? texts.leased(timeOf(leasedUntil)) : "";
  byId("no-endings").hidden = endings.length > 0;
  byId("endings").replaceChildren(...endings.map(describeEnding));
  byId("now").hidden = byId("past").hidden = false;
}

function showHolder({ device, started_at }: Holder): void {
  const name = device?.name || texts.unnamed;
  byId("device").textContent = name;
  byId("about").textContent = [device?.platform, device?.app_version].filter(Boolean).join(" · ");
  byId("since").textContent = texts.since(timeOf(started_at));
  byId("sure-title").textContent = texts.sure(name);
}

function timeOf(moment: string): string {
  const format = new Intl.DateTimeFormat(localeOf(texts), { dateStyle: "long", timeStyle: "short" });
  return format.format(new Date(moment));
}

function describeEnding({ day, reason }: KeyEnding): HTMLElement {
  const format = new Intl.DateTimeFormat(localeOf(texts), { dateStyle: "long", timeZone: "UTC" });
  const item = document.createElement("li");
  const time = document.createElement("time");
  time.dateTime = day;
  time.textContent = format.format(new Date(day));
  const why = document.createElement("span");
  why.textContent = texts.reasons[reason] ?? reason;
  item.append(time, why);
  return item;
}

function say(text: string): void {
  byId("said").textContent = text;
}

function showTrouble(text: string): void {
  byId("trouble").textContent = text;
}
