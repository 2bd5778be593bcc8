/** DELETE /api/admin/batch/{id}: nothing is left of the run, in any table. */
import { describe, expect, it } from "vitest";
import { ADMIN_TOKEN, useApp } from "../../support/app.ts";
import { useDatabase } from "../../support/database.ts";
import { findIn } from "../../support/find-in.ts";
import { batchApi } from "./support/batch.ts";

const db = useDatabase();
const app = useApp(db);
const api = batchApi(app);

const operator = { Authorization: `Bearer ${ADMIN_TOKEN}` };
const administer = (method: string, path: string) =>
  app.fetch(new Request(`http://localhost/api/admin/batch/${path}`, { method, headers: operator }));
const erase = async (id: string) => (await administer("DELETE", id)).status;

/** A run that has left a trace wherever it can, and the words by which it is found. */
async function makeTraces(name: string): Promise<{ id: string; words: string[] }> {
  const words = ["canvas", "owner", "worker", "message", "node", "result", "trouble", "reason"].map(
    (of) => `${of}-of-${name}`,
  );
  const [canvas, owner, worker, message, node, result, trouble, reason] = words;
  const { body } = await api.create(
    { canvas_path: canvas, metadata: { owner } },
    { "Idempotency-Key": `key-of-${name}` },
  );
  const id: string = body.session_id;
  await api.claim(id, { worker });
  await api.progress(id, { message });
  await api.put(id, `${node}-1`, { result: { text: result } });
  await api.put(id, `${node}-2`, { status: "failed", error: trouble });
  await api.cancel(id, { reason });
  return { id, words: [id, ...words] };
}

describe("erasing a run", () => {
  it("leaves nothing of it in any table, and all of another", async () => {
    const [gone, kept] = [await makeTraces("gone"), await makeTraces("kept")];
    expect(await findIn(db, gone.words)).toEqual([
      "public.batch_events",
      "public.batch_idempotency_keys",
      "public.batch_nodes",
      "public.batch_sessions",
    ]);
    const before = await findIn(db, kept.words);
    expect(await erase(gone.id)).toBe(200);
    expect(await findIn(db, gone.words)).toEqual([]);
    expect(await findIn(db, kept.words)).toEqual(before);
    expect((await api.read(gone.id)).code).toBe("session_not_found");
    expect(await erase(gone.id)).toBe(404);
  });

  it("takes what the audit log says of it, and leaves who did what when", async () => {
    const id = await api.make();
    expect((await administer("POST", `${id}/cancel`)).status).toBe(200);
    expect(await findIn(db, [id])).toContain("public.audit_log");
    const entries = async () => (await db.sql`SELECT action FROM audit_log ORDER BY id`).map(({ action }) => action);
    const before = await entries();
    expect(await erase(id)).toBe(200);
    expect(await findIn(db, [id])).toEqual([]);
    expect(await entries()).toEqual([...before, "batch_erased"]);
  });

  it("takes its id from the run that resumes it, and from the one that it resumes, which can be resumed anew", async () => {
    const ids = [(await makeTraces("resumed")).id];
    for (let n = 0; n < 2; n++) {
      const { body } = await api.resume(ids.at(-1) as string);
      ids.push(body.session_id);
      await api.cancel(body.session_id);
    }
    const [first, second, third] = ids as [string, string, string];
    expect(await erase(second)).toBe(200);
    expect(await findIn(db, [second])).toEqual([]);
    expect(await api.read(third)).toMatchObject({ resumed_from: null, completed_nodes: 1 });
    expect(await api.read(first)).toMatchObject({ resumed_as: null });
    const again = await api.resume(first);
    expect([again.status, again.body.resumed_from]).toEqual([201, first]);
  });

  it("works while the run is under way, and whoever reports it is told that there is none", async () => {
    const id = await api.make();
    await api.claim(id, { worker: "w" });
    expect(await erase(id)).toBe(200);
    expect((await api.put(id, "one", { attempt: 1 })).body.code).toBe("session_not_found");
    expect(await findIn(db, [id])).toEqual([]);
  });
});
