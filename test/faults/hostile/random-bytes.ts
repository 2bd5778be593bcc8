/** Strangers who found the port and speak something else: noise, TLS, HTTP/2, WebSocket, a proxy's CONNECT. */
import { connect as connectHttp2 } from "node:http2";
import { connect as connectTls } from "node:tls";
import type { Fault } from "../fault.ts";
import { chooseSeed, createRandom, type Random } from "./random.ts";
import { type Exchange, exchange } from "./raw-connection.ts";
import { judgeRefusal } from "./refusals.ts";
import { firstFew, underAttack } from "./under-attack.ts";

const AT_ONCE = 32;
/** headersTimeout is 5 s and looked at each second; what says nothing more must be gone by then. */
const PATIENCE_MS = 8_000;
const NOISE_BYTES_MAX = 4_096;

export const randomBytes: Fault = {
  name: "random-bytes",
  breaks: "connections that speak noise, half of HTTP and then noise, TLS, HTTP/2, WebSocket, CONNECT, TRACE",
  needs: ["linux"],
  run: (room) =>
    underAttack(room, { grownMibMax: 96 }, async (scene) => {
      const seed = chooseSeed();
      room.say(`FUZZ_SEED=${seed}`);
      const random = createRandom(seed);
      const urls = scene.servers.map((server) => server.url);
      const noises = room.short ? 600 : 10_000;
      const violations: string[] = [];
      let sent = 0;
      const work = async () => {
        while (sent < noises) {
          room.signal.throwIfAborted();
          const url = urls[sent++ % urls.length] as string;
          violations.push(...(await tryNoise(url, random)));
        }
      };
      await Promise.all(Array.from({ length: AT_ONCE }, work));
      for (const url of urls) violations.push(...(await tryProtocols(url)));
      return { violations: firstFew(violations), figure: `${sent} connections of noise, seed ${seed}` };
    }),
};

const HEAD = "POST /api/session/heartbeat HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n";
/** What comes before the noise, so that it reaches every state of the parser. */
const BEGINNINGS = [
  ...["", "", "GET ", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nHost: ", `${HEAD}Content-Length: `, `${HEAD}\r\n`],
  ...[`${HEAD}Content-Length: 64\r\n\r\n`, `${HEAD}Transfer-Encoding: chunked\r\n\r\n`],
  ...[`${HEAD}Transfer-Encoding: chunked\r\n\r\n10\r\n`, "GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n"],
];

async function tryNoise(url: string, random: Random): Promise<string[]> {
  const beginning = Buffer.from(random.pick(BEGINNINGS), "latin1");
  const bytes = Buffer.concat([beginning, random.bytes(1 + random.whole(NOISE_BYTES_MAX))]);
  // Without more to come a parser must decide; else each of these would take the 5 s of slow-loris.
  const result = await exchange(url, bytes, { patienceMs: PATIENCE_MS, halfClose: true });
  return judgeNoise(result).map((wrong) => `${wrong}, to ${bytes.subarray(0, 120).toString("base64")}…`);
}

function judgeNoise({ answers, rest, closed }: Exchange): string[] {
  const wrong = answers.filter(({ status }) => status >= 400).flatMap(judgeRefusal);
  if (rest.length > 0) wrong.push(`wrote what is no HTTP: ${rest.toString("latin1", 0, 60)}`);
  if (answers.some(({ status }) => status >= 500)) wrong.push("answered noise with a 5xx");
  if (!closed && answers.length === 0)
    wrong.push(`kept a connection that spoke noise for over ${PATIENCE_MS / 1000} s`);
  return wrong;
}

async function tryProtocols(url: string): Promise<string[]> {
  const socket = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";
  const spoken: Array<[name: string, text: string, statuses: number[]]> = [
    // An ignored offer to upgrade the protocol gets the ordinary answer.
    [
      "a WebSocket's upgrade",
      `GET /health/live HTTP/1.1\r\nHost: a\r\n${socket}Sec-WebSocket-Version: 13\r\n\r\n`,
      [200],
    ],
    [
      "an upgrade to HTTP/2",
      "GET /health/live HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
      [200],
    ],
    ["TRACE", "TRACE /api/session/start HTTP/1.1\r\nHost: a\r\n\r\n", [405]],
    ["CONNECT", "CONNECT example.com:443 HTTP/1.1\r\nHost: example.com\r\n\r\n", [0, 400, 404, 405]],
    ["HTTP/2's preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", [400]],
  ];
  const violations: string[] = [];
  for (const [name, text, statuses] of spoken) {
    const result = await exchange(url, Buffer.from(text, "latin1"), { patienceMs: PATIENCE_MS });
    const status = result.answers[0]?.status ?? 0;
    const wrong = judgeNoise(result);
    if (!statuses.includes(status)) wrong.push(`was answered with ${status}, not ${statuses.join(" or ")}`);
    violations.push(...wrong.map((each) => `${name}: ${each}`));
  }
  const { hostname, port } = new URL(url);
  const tls = connectTls({ host: hostname, port: Number(port), rejectUnauthorized: false });
  if (await isTakenUp(tls, "secureConnect")) violations.push("a server without a certificate took up TLS");
  tls.destroy();
  const http2 = connectHttp2(url);
  if (await isTakenUp(http2, "remoteSettings")) violations.push("a server that speaks HTTP/1.1 took up HTTP/2");
  http2.destroy();
  return violations;
}

/** Whether a client of another protocol comes to its `success`, or to an error or a closed connection. */
function isTakenUp(client: NodeJS.EventEmitter, success: string): Promise<boolean> {
  return new Promise((resolve) => {
    client.once(success, () => resolve(true));
    client.once("error", () => resolve(false));
    client.once("close", () => resolve(false));
  });
}
