/** Planted: what matches must not do, in their rows. */
import {
  actionsOf,
  addEvent,
  endedMatch,
  eventOf,
  eventOfAction,
  firstInMatch,
  forgetEvents,
  isAlone,
  isOf,
  livingMatch,
  matchOf,
  matchWhere,
} from "./match-history.ts";
import { must, type Plant } from "./plant.ts";

export const plantsInMatches: Plant[] = [
  {
    name: "an action that was acknowledged is not there",
    rule: "lost-action",
    plant(history) {
      const call = firstInMatch(history, "happened");
      forgetEvents(matchOf(history, call), eventOfAction(history, call));
    },
  },
  {
    name: "an action is there twice",
    rule: "action-twice",
    plant(history) {
      const call = firstInMatch(history, "happened");
      addEvent(matchOf(history, call), eventOfAction(history, call).id, eventOfAction(history, call));
    },
  },
  {
    name: "an action stands at another sequence than its player was told",
    rule: "moved-action",
    plant(history) {
      const row = matchWhere(history, ({ events }) =>
        events.some(({ event }, at) => event === "action" && events[at + 1]?.event === "action"),
      );
      const at = row.events.findIndex(
        ({ event }, place) => event === "action" && row.events[place + 1]?.event === "action",
      );
      const [one] = row.events.splice(at, 1);
      addEvent(row, at + 1, must(one, "action"));
    },
  },
  {
    name: "a sequence is left out",
    rule: "sequence-gap",
    plant(history) {
      for (const event of livingMatch(history).events.slice(1)) event.id++;
    },
  },
  {
    name: "an action is there that was refused",
    rule: "refused-yet-there",
    plant(history) {
      const call = firstInMatch(history, "refused", (one) => one.operation === "act" && isAlone(history, one));
      const row = matchOf(history, call);
      const [like] = actionsOf(row);
      const { id, player, type, target } = must(call.action, "action");
      const data = { ...like?.data.data, action_id: id, player_id: player, action_type: type, target_id: target };
      addEvent(row, 1, { event: "action", at: call.sentAt + history.circumstances.clock.offsetMs, data: { data } });
    },
  },
  {
    name: "an action is there that nobody sent",
    rule: "invented-event",
    plant(history) {
      must(actionsOf(livingMatch(history))[0], "action").data.data.action_id = "of nobody";
    },
  },
  {
    name: "an action hits another one than it was aimed at",
    rule: "invented-event",
    plant(history) {
      const { data } = must(actionsOf(livingMatch(history))[0], "action").data;
      data.target_id = data.target_id === data.player_id ? "another" : data.player_id;
    },
  },
  {
    name: "an action happens long after its player was answered",
    rule: "misplaced-event",
    plant(history) {
      must(actionsOf(livingMatch(history))[0], "action").at += 60_000;
    },
  },
  {
    name: "a match that was made is not there",
    rule: "lost-match",
    plant(history) {
      const { sessionId } = firstInMatch(history, "made").answer;
      history.rows.matches = history.rows.matches.filter((row) => row.sessionId !== sessionId);
    },
  },
  {
    name: "a request that was sent once more has made another match",
    rule: "made-twice",
    plant(history) {
      history.rows.matches.push({ ...structuredClone(livingMatch(history)), sessionId: "one-more" });
    },
  },
  {
    name: "a participant has more score than the events say",
    rule: "state-differs",
    plant({ rows: { matches } }) {
      const [row] = matches;
      must(row, "match").standings[0] += "0";
    },
  },
  {
    name: "a match counts one action more than it has",
    rule: "state-differs",
    plant(history) {
      const { numbers } = livingMatch(history);
      numbers[0] = (numbers[0] as number) + 1;
    },
  },
  {
    name: "a match forgets that it has ended",
    rule: "state-differs",
    plant(history) {
      Object.assign(endedMatch(history, "requested"), { state: "active", reason: null });
    },
  },
  {
    name: "an end that was acknowledged is gone",
    rule: "untrue-answer",
    plant(history) {
      const row = endedMatch(history, "requested");
      forgetEvents(
        row,
        eventOf(row, ({ event }) => event === "ended"),
      );
      Object.assign(row, { state: "active", reason: null, version: row.version - 1 });
    },
  },
  {
    name: "an ended match takes an action",
    rule: "after-end",
    plant(history) {
      const row = endedMatch(history, "requested");
      addEvent(row, row.events.length, must(actionsOf(row)[0], "action"));
    },
  },
  {
    name: "a match ends twice",
    rule: "after-end",
    plant(history) {
      const row = endedMatch(history, "requested");
      addEvent(row, row.events.length, must(row.events.at(-1), "event"));
    },
  },
  {
    name: "a match is ended by silence while it is played",
    rule: "unwanted-end",
    plant(history) {
      must(endedMatch(history, "requested").events.at(-1), "event").data.data.ended_reason = "silence";
    },
  },
  {
    name: "a match is ended that nobody wanted to end",
    rule: "invented-event",
    plant(history) {
      const isEnding = isOf(endedMatch(history, "requested"), "complete", "terminate");
      history.matchCalls = history.matchCalls.filter((call) => !isEnding(call));
    },
  },
  {
    name: "a match is decided while several are left",
    rule: "wrong-decision",
    plant(history) {
      must(endedMatch(history, "requested").events.at(-1), "event").data.data.ended_reason = "decided";
    },
  },
  {
    name: "a match goes on with one who is left",
    rule: "wrong-decision",
    plant(history) {
      const row = endedMatch(history, "decided");
      forgetEvents(row, must(row.events.at(-1), "event"));
    },
  },
  {
    name: "another one than who is left has won",
    rule: "wrong-decision",
    plant(history) {
      const row = endedMatch(history, "decided");
      Object.assign(must(row.events.at(-1), "event").data.data, { winner: "somebody else" });
    },
  },
  {
    name: "somebody who is out acts",
    rule: "out-of-turn",
    plant(history) {
      const row = endedMatch(history, "decided");
      const out = eventOf(row, ({ data }) => data.data.eliminated === true);
      const { at, data } = must(actionsOf(row)[0], "action");
      addEvent(row, out.id, {
        event: "action",
        at,
        data: { data: { ...data.data, player_id: out.data.data.target_id } },
      });
    },
  },
  {
    name: "somebody acts while the match is paused",
    rule: "out-of-turn",
    plant(history) {
      const row = matchWhere(history, ({ events }) => events.some(({ event }) => event === "paused"));
      addEvent(row, eventOf(row, ({ event }) => event === "paused").id, must(actionsOf(row)[0], "action"));
    },
  },
  {
    name: "somebody is hit who takes no part",
    rule: "out-of-turn",
    plant(history) {
      must(actionsOf(livingMatch(history))[0], "action").data.data.target_id = "nobody";
    },
  },
  {
    name: "more take part than may",
    rule: "too-many",
    plant(history) {
      const row = matchWhere(history, ({ events }) => events.some(({ event }) => event === "joined"));
      const joined = eventOf(row, ({ event }) => event === "joined");
      for (let n = 0; n < 5; n++)
        addEvent(row, joined.id, { ...joined, data: { data: { player_id: `one-more-${n}` } } });
    },
  },
  {
    name: "somebody comes twice",
    rule: "told-twice",
    plant(history) {
      const row = matchWhere(history, ({ events }) => events.some(({ event }) => event === "joined"));
      const joined = eventOf(row, ({ event }) => event === "joined");
      addEvent(row, joined.id, joined);
    },
  },
  {
    name: "somebody is made to leave who did not ask for it",
    rule: "invented-event",
    plant(history) {
      const left = matchWhere(history, ({ events }) => events.some(({ event }) => event === "left"));
      const isLeaving = isOf(left, "leave");
      history.matchCalls = history.matchCalls.filter((call) => !isLeaving(call));
    },
  },
  {
    name: "of those who come together one is left out",
    rule: "half-passage",
    plant(history) {
      const row = matchWhere(history, (one) => pairOf(one) !== undefined);
      forgetEvents(row, must(pairOf(row), "pair"));
    },
  },
];

/** The second of two who came by one call. */
const pairOf = ({ events }: Parameters<typeof actionsOf>[0]) =>
  events.find(
    ({ event, at }, place) =>
      event === "joined" && events[place - 1]?.event === "joined" && events[place - 1]?.at === at,
  );
