/** How many streams there may be: of one subject, and in all. */
import { expect, it } from "vitest";
import { createEventStreams, type EventStream } from "../../src/events/sse.ts";

it("a ninth of one subject ends the oldest, and leaves those of others alone", async () => {
  const streams = createEventStreams();
  const closed: string[] = [];
  const open = (name: string, subject?: string) => streams.open(() => closed.push(name), {}, subject);
  const other = open("other", "session b");
  const nobody = open("nobody's");
  for (let n = 1; n <= 8; n++) open(String(n), "session a");
  expect(closed).toEqual([]);
  open("9", "session a");
  open("10", "session a");
  expect(closed).toEqual(["1", "2"]);
  expect([other.ended(), nobody.ended(), streams.size()]).toEqual([false, false, 10]);
  await streams.close();
});

it("one that has ended by itself makes room, and is not ended twice", async () => {
  const streams = createEventStreams();
  let closed = 0;
  const opened: EventStream[] = [];
  for (let n = 0; n < 8; n++) opened.push(streams.open(() => closed++, {}, "user jun"));
  await opened[3]?.response.body?.cancel();
  opened[4]?.end();
  expect(closed).toBe(2);
  for (let n = 0; n < 2; n++) streams.open(() => closed++, {}, "user jun");
  expect([closed, opened[0]?.ended()]).toEqual([2, false]);
  await streams.close();
});

it("over the bound in all the next one is told 503, and when all are ended no other is begun", async () => {
  const streams = createEventStreams(2);
  const first = streams.open(() => {}, {});
  streams.open(() => {}, {});
  expect(() => streams.open(() => {}, {})).toThrow(expect.objectContaining({ code: "unavailable" }));
  first.end();
  streams.open(() => {}, {});
  await streams.close();
  expect(streams.size()).toBe(0);
  expect(() => streams.open(() => {}, {})).toThrow(expect.objectContaining({ code: "unavailable" }));
});
