/** What is around every view: where one is, how fresh it is, and the way out. */
import { signOut } from "./api.ts";
import { AREAS, openView } from "./areas.ts";
import { connect, type LinkState } from "./connection.ts";
import { announceTakeover } from "./device/takeovers.ts";
import { say } from "./parts/dialog.ts";
import { el, setText } from "./parts/element.ts";
import { serverNow, showClockWithSeconds } from "./parts/format.ts";
import type { View } from "./view.ts";

const STATES: Record<LinkState, string> = {
  connecting: "Connecting",
  live: "Live",
  database: "Database down",
  offline: "Not connected",
};
/** Changes come in swarms; the view loads once for many. */
const REFRESH_EVERY_MS = 2_000;

export function showShell({ version, leave }: { version: string; leave(): Promise<void> }): void {
  const links = AREAS.map(({ href, link }) => el("a", { href }, link));
  const state = el("span", { class: "link-state" });
  const banner = el("div", { class: "banner", role: "status" });
  const main = el("main", { id: "main", tabindex: "-1" });
  const aloud = el("div", { class: "hidden", "aria-live": "polite", id: "news" });
  const out = el("button", { class: "small", type: "button", onclick: () => void goOut() }, "Sign out");
  const brand = el("span", { class: "brand", title: `Keybeat ${version}` });
  brand.append(el("img", { src: "admin/icon.svg", alt: "" }), "Keybeat");
  const nav = el("nav", { "aria-label": "Main" }, ...links);
  const skip = el("a", { class: "skip", href: "#main", onclick: toMain }, "Skip to the content");
  document.body.replaceChildren(skip, el("header", { class: "top" }, brand, nav, state, out), banner, main, aloud);

  let view: View | undefined;
  let refreshing: ReturnType<typeof setTimeout> | undefined;
  const refreshSoon = () => {
    if (refreshing !== undefined) return;
    refreshing = setTimeout(() => {
      refreshing = undefined;
      if (!document.hidden) view?.onChange?.();
    }, REFRESH_EVERY_MS);
  };

  function show(): void {
    const hash = location.hash || "#/";
    view?.leave?.();
    view = openView(hash);
    document.title = `${view.title} · Keybeat`;
    for (const link of links) {
      const here = link.hash === hash || hash.startsWith(`${link.hash}/`);
      if (here) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    main.replaceChildren(view.element);
    view.refresh();
  }

  function moved(): void {
    show();
    main.querySelector<HTMLElement>("h1")?.focus();
    scrollTo(0, 0);
  }

  const connection = connect({
    onState(next) {
      state.dataset.state = next;
      setText(state, STATES[next]);
      setText(banner, tellTrouble(next));
    },
    onBack: () => view?.refresh(),
    onNumbers: (numbers) => view?.onNumbers?.(numbers),
    onTakeover(news) {
      announceTakeover(aloud, news);
      view?.onTakeover?.(news);
      refreshSoon();
    },
    onChange: refreshSoon,
    onSignedOut() {
      end();
      void leave();
    },
  });
  const onVisible = () => {
    if (!document.hidden) refreshSoon();
  };

  function end(): void {
    connection.close();
    view?.leave?.();
    removeEventListener("hashchange", moved);
    document.removeEventListener("visibilitychange", onVisible);
  }

  async function goOut(): Promise<void> {
    try {
      await signOut();
      end();
      await leave();
    } catch (error) {
      say((error as Error).message);
    }
  }

  setText(state, STATES.connecting);
  addEventListener("hashchange", moved);
  document.addEventListener("visibilitychange", onVisible);
  show();
}

/** `#main` is no address of a view. */
function toMain(event: Event): void {
  event.preventDefault();
  document.getElementById("main")?.focus();
}

function tellTrouble(state: LinkState): string {
  if (state === "connecting" || state === "live") return "";
  const what = state === "database" ? "The database is not answering" : "Not connected: the service is not answering";
  return `${what}. What you see is from ${showClockWithSeconds(serverNow())}. Trying again …`;
}
