/**
 * Elements, made without a line of HTML: whatever came from users can only become text or the value of an attribute.
 * The page's Content-Security-Policy forbids the browser every other way.
 */
export type Child = Node | string | null | undefined | false;
type Attribute = string | number | boolean | null | undefined;

export interface Props {
  [name: string]: Attribute | ((event: never) => void);
}

/** `onclick` and the like are listeners, the rest are attributes; false, null and undefined leave one out. */
export function el<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  props: Props = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  apply(element, props);
  element.append(...present(children));
  return element;
}

export function svg(tag: string, props: Props = {}, ...children: Child[]): SVGElement {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  apply(element, props);
  element.append(...present(children));
  return element;
}

/** The focus stays where it is if the text does. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

const madeAs = new WeakMap<Element, string>();

/** Changes only what is other than what was made last: the focus, a selection and what is unfolded stay. */
export function renewChildren(parent: Element, made: Element[]): void {
  for (const [at, child] of made.entries()) {
    const old = parent.children[at];
    if (old && madeAs.get(old) === child.outerHTML) continue;
    madeAs.set(child, child.outerHTML);
    if (old) old.replaceWith(child);
    else parent.append(child);
  }
  while (parent.children.length > made.length) parent.lastElementChild?.remove();
}

/** A labelled input, select or textarea. */
export function field(label: string, control: HTMLElement, kind = ""): HTMLLabelElement {
  return el("label", { class: `field ${kind}` }, el("span", {}, label), control);
}

/** Of pairs of value and text; the first is chosen. */
export function select(options: [string, string][], props: Props = {}): HTMLSelectElement {
  return el("select", props, ...options.map(([value, text]) => el("option", { value }, text)));
}

export function empty(title: string, hint: string): HTMLElement {
  return el("p", { class: "empty" }, el("strong", {}, title), hint);
}

/** How something stands, in a word and a colour. */
export const badge = ({ words, kind }: { words: string; kind: string }): HTMLElement =>
  el("span", { class: "badge", "data-kind": kind }, words);

/** One of a list of facts. */
export const fact = (name: string, value: Child, width: "" | "wide" = ""): HTMLElement =>
  el("div", { class: width }, el("dt", {}, name), el("dd", {}, value));

function apply(element: Element, props: Props): void {
  for (const [name, value] of Object.entries(props)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value as (event: Event) => void);
    else if (value !== false && value !== null && value !== undefined) {
      element.setAttribute(name, value === true ? "" : String(value));
    }
  }
}

function present(children: Child[]): (Node | string)[] {
  return children.filter((child): child is Node | string => child !== null && child !== undefined && child !== false);
}
