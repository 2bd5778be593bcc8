/** For long random fights: their events from the first on say what is stored and what GET says, to a program and to SQL. */
import { expect, inject, it } from "vitest";
import { ACTION_TYPES, COMBAT_EVENTS, GAME_ENDED_REASONS } from "../../../../src/sessions/game/states.ts";
import { useApp } from "../../../support/app.ts";
import { useDatabase } from "../../../support/database.ts";
import { checkFights } from "./support/check-fights.ts";

const db = useDatabase();
const app = useApp(db);

const FIGHTS = 1000 * inject("share");

it(`the events of ${FIGHTS} long random fights fold to what is stored and to what GET says`, {
  timeout: 1_200_000,
}, async () => {
  const happened = await checkFights(db, app, FIGHTS);
  // Fights in which one of these never happened would prove nothing about it.
  const due = [...COMBAT_EVENTS, ...ACTION_TYPES, ...GAME_ENDED_REASONS];
  expect(due.filter((word) => !happened.has(word))).toEqual([]);
});
