/** Follows one session, live until its end, even through an outage of the database: on the screen, in lines or in JSON. */
import { readConfig } from "../../config.ts";
import { OperatorError } from "../../errors.ts";
import { ago, clean, type OutputOptions, paint, shorten, wrap } from "../output.ts";
import { repeat } from "../repeat.ts";
import { openScreen } from "../screen.ts";
import { Stopped, stopAtSignal } from "../signals.ts";
import { type Away, type Follower, openFollower, type Seen, type Subject } from "./follower.ts";
import { tellInJson } from "./json.ts";

const LOOK_EVERY_MS = 500;

/** What is shown on a terminal. */
export interface Picture<Row> {
  see(seen: Seen<Row>): void;
  /** Lines that fit. */
  draw(size: { columns: number; rows: number }): string[];
  /** The line that stays. */
  farewell(): string;
}

export type Tell<Row> = (seen: Seen<Row>) => void;

export interface Following<Row> extends Subject<Row> {
  /** As it stands at the beginning. */
  known: Row;
  isOver(session: Row): boolean;
  openPicture(): Picture<Row>;
  tellInLines(print: (line: string) => void): Tell<Row>;
}

export const FOLLOW_HELP = `
While the database is away it says so, and goes on when it is back; no event is missed. It starts no embedded database:
it looks at the one that keybeat serve runs, twice a second.`;

/** The session as it ended. Throws a Stopped if somebody does not want to wait for that. */
export async function followSession<Row>(following: Following<Row>, options: OutputOptions): Promise<Row> {
  const onScreen = process.stdout.isTTY && !options.json && !following.isOver(following.known);
  const quit = new AbortController();
  const stop = AbortSignal.any([stopAtSignal().stop, quit.signal]);
  const follower = openFollower(readConfig(), following);
  const story = { follower, stop, isOver: following.isOver };
  try {
    if (onScreen) return await show(story, following.openPicture(), () => quit.abort(new Stopped("SIGINT")));
    process.stdout.on("error", () => quit.abort(new Stopped("SIGHUP")));
    return await tell(story, options.json ? tellInJson(following.isOver) : following.tellInLines(console.log));
  } finally {
    const closed = follower.close();
    if (!stop.aborted) await closed;
  }
}

interface Story<Row> {
  follower: Follower<Row>;
  stop: AbortSignal;
  isOver(session: Row): boolean;
}

async function show<Row>(story: Story<Row>, picture: Picture<Row>, quit: () => void): Promise<Row> {
  let away: string | undefined;
  let seenAt = Date.now();
  const draw = () => {
    const { columns } = screen;
    const outage = away === undefined ? [] : drawOutage(away, seenAt, columns);
    const rows = Math.max(1, screen.rows - 1 - outage.length);
    const hint = paint("dim", shorten("q stops following; the session goes on", columns));
    screen.draw([...outage, ...picture.draw({ columns, rows }).slice(0, rows), hint].slice(0, screen.rows));
  };
  const screen = openScreen({ quit, resize: draw });
  draw();
  try {
    return await untilOver(story, (look) => {
      away = "unavailable" in look ? look.unavailable : undefined;
      if (!("unavailable" in look)) {
        seenAt = Date.now();
        picture.see(look);
      }
      draw();
    });
  } finally {
    screen.close();
    console.log(picture.farewell());
  }
}

function drawOutage(unavailable: string, seenAt: number, columns: number): string[] {
  const words = `the database is away · last seen ${ago(new Date(seenAt))} · ${clean(unavailable)}`.split(" ");
  return wrap(words, columns, " ").map((line) => paint("red", line));
}

async function tell<Row>(story: Story<Row>, say: Tell<Row>): Promise<Row> {
  let isAway = false;
  return untilOver(story, (look) => {
    const wasAway = isAway;
    isAway = "unavailable" in look;
    if ("unavailable" in look) {
      if (!wasAway) console.error(`keybeat: the database is away (${clean(look.unavailable)}), waiting for it`);
      return;
    }
    if (wasAway) console.error("keybeat: the database is back");
    say(look);
  });
}

/** Looks until the session is over, and returns it. */
async function untilOver<Row>(story: Story<Row>, see: (look: Seen<Row> | Away) => void): Promise<Row> {
  const { follower, stop, isOver } = story;
  const over = new AbortController();
  let last: Awaited<ReturnType<Follower<Row>["look"]>> | undefined;
  await repeat(LOOK_EVERY_MS, AbortSignal.any([stop, over.signal]), async () => {
    const look = await follower.look();
    if (stop.aborted) return;
    last = look;
    if (look === "gone") return over.abort();
    see(look);
    if ("session" in look && isOver(look.session)) over.abort();
  });
  stop.throwIfAborted();
  if (last === undefined || last === "gone" || !("session" in last)) {
    throw new OperatorError("the session is not there any more");
  }
  return last.session;
}
