import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { createBatches } from "../../../src/sessions/device/natural-batching.ts";

const gather = (send: (ids: string[]) => Promise<(id: string) => string>) => createBatches({ send });

describe("natural batching", () => {
  it("what comes while a batch is under way is the next one, each id once in it, and everybody gets an answer", async () => {
    const sizes: string[][] = [];
    let letGo = () => {};
    const ask = gather(async (ids) => {
      sizes.push(ids);
      if (sizes.length === 1) await new Promise<void>((resolve) => (letGo = resolve));
      return (id) => `${id}!`;
    });
    const first = ask("a");
    await expect.poll(() => sizes).toEqual([["a"]]);
    const rest = Promise.all(["b", "c", "b", "d"].map((id) => ask(id)));
    letGo();
    expect([await first, ...(await rest)]).toEqual(["a!", "b!", "c!", "b!", "d!"]);
    expect(sizes).toEqual([["a"], ["b", "c", "d"]]);
  });

  it("of ids with one subject the second goes with the next batch, in the order in which they came", async () => {
    const sizes: string[][] = [];
    const ask = createBatches({
      send: async (ids: string[]) => {
        sizes.push(ids);
        return (id) => `${id}!`;
      },
      subjectOf: (id) => id.slice(0, 1),
    });
    const asked = ["a1", "a2", "b1", "a1", "a3", "b2"];
    expect(await Promise.all(asked.map((id) => ask(id)))).toEqual(asked.map((id) => `${id}!`));
    expect(sizes).toEqual([["a1", "b1"], ["a2", "b2"], ["a3"]]);
  });

  it("of one subject only so many wait, again and again; the others never notice", async () => {
    const sizes: number[] = [];
    const ask = createBatches({
      send: async (ids: string[]) => {
        sizes.push(ids.length);
        return (id) => `${id}!`;
      },
      subjectOf: (id) => id.slice(0, 1),
    });
    for (const round of [1, 2]) {
      const flood = Array.from({ length: 1_000 }, (_, at) => ask(`f${round}-${at}`).catch((error) => error.code));
      expect(await ask("b")).toBe("b!");
      const outcomes = await Promise.all(flood);
      expect(outcomes.filter((outcome) => outcome === "unavailable")).toHaveLength(984);
      expect(sizes.splice(0)).toEqual([2, ...Array(15).fill(1)]);
    }
  });

  it("whoever has waited elsewhere before is turned away that much earlier", async () => {
    const ask = gather(async () => {
      await sleep(1_000);
      return () => "beaten";
    });
    await expect(ask("a", performance.now() - 2_000)).rejects.toMatchObject({ code: "unavailable" });
    expect(await ask("b")).toBe("beaten");
  });

  it("nobody waits 3 s (G8), whether the next batch or the one under way would carry the answer", async () => {
    const ask = gather(async () => {
      await sleep(1_200);
      throw new Error("the connection died");
    });
    const outcome = async (id: string) => {
      const began = performance.now();
      const code = await ask(id).catch((error) => error.code);
      return { code, inTime: performance.now() - began < 3_000 };
    };
    const first = outcome("first");
    await sleep(50);
    // Its own batch begins after the first one's, and fails twice: 3.6 s in all.
    const second = outcome("second");
    expect(await second).toEqual({ code: "unavailable", inTime: true });
    expect(await first).toMatchObject({ inTime: true });
  });

  it("goes on after everybody was turned away", async () => {
    let broken = true;
    const ask = gather(async () => {
      if (broken) await sleep(2_700);
      return () => "beaten";
    });
    await expect(ask("a")).rejects.toMatchObject({ code: "unavailable" });
    broken = false;
    expect(await ask("a")).toBe("beaten");
  });
});
