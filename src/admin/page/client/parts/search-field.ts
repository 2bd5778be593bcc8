/** One search box and what to look by. A whole key only ever goes out in the body of a request. */
import { el, field, select } from "./element.ts";

type By = "label" | "prefix" | "device" | "access_key";

const TITLES: Record<By, string> = {
  label: "Label",
  prefix: "Key begins with",
  device: "Device",
  access_key: "Whole key",
};
const PREFIX_LENGTH_MAX = 8;
const TYPING_MS = 250;

export interface SearchField {
  fields: HTMLElement[];
  by: HTMLSelectElement;
  text: HTMLInputElement;
}

export function searchField(ways: By[], changed: () => void): SearchField {
  const text = searchInput(changed);
  const by = select(
    ways.map((way) => [way, TITLES[way]]),
    { onchange: () => text.value && changed() },
  );
  return { fields: [field("Search for", text, "wide"), field("In", by)], by, text };
}

/** Says so once a pause comes in the typing. */
export function searchInput(changed: () => void): HTMLInputElement {
  let timer: ReturnType<typeof setTimeout>;
  return el("input", {
    type: "search",
    autocomplete: "off",
    spellcheck: "false",
    oninput() {
      clearTimeout(timer);
      timer = setTimeout(changed, TYPING_MS);
    },
  });
}

export function readSearch({ by, text }: SearchField): Partial<Record<By, string>> {
  const wanted = text.value.trim();
  if (wanted === "") return {};
  // A whole key pasted where its beginning is asked for finds what its beginning finds.
  if (by.value === "prefix") return { prefix: [...wanted].slice(0, PREFIX_LENGTH_MAX).join("") };
  return { [by.value]: wanted };
}
