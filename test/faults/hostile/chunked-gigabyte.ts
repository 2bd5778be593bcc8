/** Bodies that never seem to end: 1 GiB to every route, in chunks and with a length, and bodies that break off. */
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import type { Fault } from "../fault.ts";
import { bytesTaken } from "../scene/process-figures.ts";
import type { Scene } from "../scene/scene.ts";
import { readAnswers } from "./http-answers.ts";
import { openRaw, type RawConnection } from "./raw-connection.ts";
import { judgeRefusal } from "./refusals.ts";
import { ROUTES } from "./routes.ts";
import { firstFew, underAttack } from "./under-attack.ts";

const GIB = 2 ** 30;
const PIECE = Buffer.alloc(64 * 1024, " ");
const CHUNK = Buffer.concat([Buffer.from(`${PIECE.length.toString(16)}\r\n`), PIECE, Buffer.from("\r\n")]);
/** requestTimeout is 10 s and looked at each second. */
const OVER_MS_MAX = 12_000;
/** Far over what lies in buffers when the server says no, and far under what was offered; the devices' own is in it. */
const TAKEN_MIB_MAX = 8;
const ADMIN_TOKEN = "the-operators-token-for-the-gigabyte";

interface Upload {
  name: string;
  head: string;
  /** 413 where a body is read; elsewhere whatever the route says without having read it. */
  right: number[];
}

export const chunkedGigabyte: Fault = {
  name: "chunked-gigabyte",
  breaks: "bodies of 1 GiB to every route, in chunks and with a length, twenty at once too, and bodies that break off",
  needs: ["linux"],
  run: (room) =>
    underAttack(room, { grownMibMax: 128, env: () => ({ ADMIN_TOKEN }) }, async (scene) => {
      const violations: string[] = [];
      let mostMib = 0;
      for (const [turn, upload] of listUploads().entries()) {
        room.signal.throwIfAborted();
        const { wrong, takenMib } = await tryUpload(scene, turn % scene.servers.length, upload);
        violations.push(...wrong.map((each) => `${upload.name}: ${each}`));
        mostMib = Math.max(mostMib, takenMib);
      }
      violations.push(...(await tryMany(scene, room.short ? 20 : 200)));
      await breakOff(scene, room.short ? 100 : 1_000);
      return { violations: firstFew(violations), figure: `at the most ${mostMib.toFixed(1)} MiB of 1 GiB taken` };
    }),
};

function listUploads(): Upload[] {
  const json = "Content-Type: application/json\r\n";
  const to = (path: string, headers: string, right: number[]): Upload[] =>
    [`Content-Length: ${GIB}\r\n`, "Transfer-Encoding: chunked\r\n"].map((length) => ({
      name: `POST ${path}, ${headers.replace(/: .*\r\n/gs, "")}, ${length.trim()}`,
      head: `POST ${path} HTTP/1.1\r\nHost: a\r\n${headers}${length}\r\n`,
      right,
    }));
  const posts = ROUTES.filter((route) => route.method === "POST");
  const uploads = posts.flatMap(({ path: template, wants, request }) => {
    const path = template.replace(/\{\w+\}/, "0");
    // Said unread: there is none of that name, or nobody has signed in.
    const unread = [...(path === template ? [] : [404]), ...(wants === "user" || wants === "player" ? [401] : [])];
    const token = `Authorization: Bearer ${ADMIN_TOKEN}\r\n`;
    return wants === "operator"
      ? [...to(path, json, [401, 413]), ...to(path, token + json, [200, 404, 413, 415])]
      : to(path, json, [413, ...unread, ...(request ? [] : [200])]);
  });
  return [
    ...uploads,
    ...to("/api/session/start", "Content-Type: text/plain\r\n", [413, 415]),
    ...to("/api/session/start", `Expect: 100-continue\r\n${json}`, [413]),
    ...to("/api/session/watch", json, [405, 413]),
    ...to("/no/such/path", json, [404, 413]),
  ];
}

async function tryUpload(
  { servers }: Scene,
  at: number,
  upload: Upload,
): Promise<{ wrong: string[]; takenMib: number }> {
  const [pid, url] = [servers[at]?.pid() as number, servers[at]?.url as string];
  const before = bytesTaken(pid) ?? 0;
  const raw = openRaw(url);
  await pour(raw, upload.head, GIB);
  const takenMib = ((bytesTaken(pid) ?? Number.POSITIVE_INFINITY) - before) / 2 ** 20;
  const wrong = judgeUpload(raw, upload);
  if (takenMib > TAKEN_MIB_MAX) wrong.push(`took ${takenMib.toFixed(0)} MiB of what it had no use for`);
  raw.socket.destroy();
  return { wrong, takenMib };
}

/** Writes as fast as the other side reads, until it closes, all is sent, or time is up. */
async function pour(raw: RawConnection, head: string, bytes: number): Promise<void> {
  const over = sleep(OVER_MS_MAX);
  const piece = head.includes("chunked") ? CHUNK : PIECE;
  const until = performance.now() + OVER_MS_MAX;
  raw.socket.write(head);
  for (let sent = 0; sent < bytes && raw.closedAt() === undefined && performance.now() < until; sent += PIECE.length) {
    if (!raw.socket.write(piece)) await Promise.race([once(raw.socket, "drain").catch(() => {}), raw.closed, over]);
  }
  await Promise.race([raw.closed, over]);
}

/** A sender that goes on after the refusal may lose it to the reset that ends the connection; that is no violation. */
function judgeUpload(raw: RawConnection, { right }: Upload): string[] {
  const wrong: string[] = [];
  const { answers } = readAnswers(raw.received());
  for (const answer of answers) {
    if (!right.includes(answer.status)) wrong.push(`answered ${answer.status}, not ${right.join(" or ")}`);
    if (answer.status >= 400) wrong.push(...judgeRefusal(answer));
  }
  if (raw.closedAt() === undefined) wrong.push(`kept the connection for over ${OVER_MS_MAX / 1000} s`);
  return wrong;
}

/** All at once: what one may take, taken by many, must still be little. */
async function tryMany({ servers }: Scene, count: number): Promise<string[]> {
  const uploads = listUploads().filter((upload) => upload.right.length === 1 && upload.right[0] === 413);
  const tries = Array.from({ length: count }, async (_, turn) => {
    const raw = openRaw(servers[turn % servers.length]?.url as string);
    const upload = uploads[turn % uploads.length] as Upload;
    await pour(raw, upload.head, GIB);
    raw.socket.destroy();
    return judgeUpload(raw, upload).map((wrong) => `${count} at once, ${upload.name}: ${wrong}`);
  });
  return (await Promise.all(tries)).flat();
}

/** Clients that hang up in the midst of a body are everyday: no alarm in the log, nothing that stays behind. */
async function breakOff({ servers }: Scene, count: number): Promise<void> {
  const head = "POST /api/session/heartbeat HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n";
  const half = [
    `${head}Content-Length: 1000\r\n\r\n{"session_id":"`,
    `${head}Transfer-Encoding: chunked\r\n\r\n5\r\n{"ses`,
  ];
  for (let turn = 0; turn < count; turn++) {
    const raw = openRaw(servers[turn % servers.length]?.url as string);
    raw.socket.write(half[turn % half.length] as string);
    await sleep(2);
    if (turn % 3 === 0) raw.socket.end();
    else if (turn % 3 === 1) raw.socket.destroy();
    else raw.socket.resetAndDestroy();
    if (turn % 3 === 0) await Promise.race([raw.closed, sleep(1_000)]);
  }
}
