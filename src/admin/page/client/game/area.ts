import type { Area } from "../view.ts";
import { createGameView } from "./game-view.ts";
import { createGamesView } from "./games-view.ts";

export const gameArea: Area = {
  link: "Games",
  href: "#/games",
  open(hash) {
    if (hash === "#/games") return createGamesView();
    const id = /^#\/games\/([\da-f]{8}-(?:[\da-f]{4}-){3}[\da-f]{12})$/i.exec(hash)?.[1];
    return id === undefined ? undefined : createGameView(id);
  },
};
