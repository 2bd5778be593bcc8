/** The files for nginx and Caddy as shipped, except ports and certificate: what passes, and below a path. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openBrowser } from "../support/browser.ts";
import { useDatabase } from "../support/database.ts";
import { freePort } from "../support/free-port.ts";
import { type RunningServer, startServer } from "../support/process.ts";
import { newAccessKey, newSessionId } from "../support/secrets.ts";

const ADMIN_TOKEN = "an-admin-token-for-tests";
const db = useDatabase();
const folder = mkdtempSync(join(tmpdir(), "keybeat-proxies-"));
const servers: RunningServer[] = [];
let browser: Browser;

beforeAll(async () => {
  const names = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"];
  const files = ["-keyout", join(folder, "key.pem"), "-out", join(folder, "cert.pem")];
  execFileSync("openssl", ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", ...names, ...files], {
    stdio: "pipe",
  });
  const env = { DATABASE_URL: db.url, ADMIN_TOKEN, HOST: "127.0.0.1", TRUST_PROXY: "1", CLEANUP_CRON: "" };
  servers.push(
    await startServer({ ...env, QUEUE_MAX_REQUESTS: "1" }),
    await startServer({ ...env, QUEUE_MAX_REQUESTS: "1" }),
  );
  browser = await openBrowser();
});
afterAll(async () => {
  await browser?.close();
  for (const server of servers) await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

interface Proxy {
  name: string;
  /** Starts it on the port, and below /kb/ on the next; writes its files into the folder. */
  start(ports: { root: number; below: number }): ChildProcess;
}

const nginx: Proxy = {
  name: "nginx",
  start({ root, below }) {
    const shipped = toOurPlaces(readFileSync("scripts/deploy/nginx.conf", "utf8"))
      .replace("listen 443", `listen 127.0.0.1:${root}`)
      .replace(/ssl_certificate \S+;/, `ssl_certificate ${folder}/cert.pem;`)
      .replace(/ssl_certificate_key \S+;/, `ssl_certificate_key ${folder}/key.pem;`);
    const server = shipped.slice(shipped.indexOf("server {")).replace(`:${root}`, `:${below}`);
    const locations = server.slice(server.indexOf("\tlocation / {"));
    const belowPath = server.replace(locations, `${guideBlock("nginx", "below a path")}}\n`);
    const temp = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
      (what) => `${what}_temp_path ${folder}/${what};`,
    );
    const conf = `${process.getuid?.() === 0 ? "user root; " : ""}daemon off; pid ${folder}/nginx.pid; error_log stderr; events {} http { access_log off; ${temp.join(" ")}\n${shipped}\n${belowPath}\n}`;
    writeFileSync(join(folder, "nginx.conf"), conf);
    return spawn("nginx", ["-c", join(folder, "nginx.conf")], { stdio: ["ignore", "pipe", "pipe"] });
  },
};

const caddy: Proxy = {
  name: "Caddy",
  start({ root, below }) {
    const shipped = toOurPlaces(readFileSync("scripts/deploy/Caddyfile", "utf8"));
    const site = (port: number) => `https://127.0.0.1:${port} {\n\ttls ${folder}/cert.pem ${folder}/key.pem\n`;
    const at = (port: number, text: string) => text.replace(/^keys\.example\.com \{\n/m, site(port));
    const belowPath = `${site(below)}${toOurPlaces(guideBlock("Caddy", "below a path"))}}\n`;
    const head = `{\n\tadmin off\n\tauto_https off\n}\n`;
    writeFileSync(join(folder, "Caddyfile"), head + at(root, shipped) + belowPath);
    const args = ["run", "--adapter", "caddyfile", "--config", join(folder, "Caddyfile")];
    const env = { PATH: process.env.PATH, HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder };
    return spawn("caddy", args, { env, stdio: ["ignore", "pipe", "pipe"] });
  },
};

const toOurPlaces = (text: string) =>
  text
    .replaceAll("127.0.0.1:3000", new URL((servers[0] as RunningServer).url).host)
    .replaceAll("127.0.0.1:3001", new URL((servers[1] as RunningServer).url).host);

/** A piece of the guide that is marked as this test's. */
function guideBlock(proxy: string, what: string): string {
  const guide = readFileSync("scripts/deploy/README.md", "utf8");
  const marked = guide.split(`<!-- run by test/scripts/proxies.host.ts: ${proxy}, ${what} -->\n`)[1];
  expect(marked, `${proxy}, ${what}`).toBeDefined();
  return (marked as string).split("```")[1]?.replace(/^\w*\n/, "") as string;
}

describe.each([nginx, caddy])("behind $name, as its file is shipped", (proxy) => {
  let url: string;
  let below: string;
  let child: ChildProcess;

  beforeAll(async () => {
    const ports = { root: await freePort(), below: await freePort() };
    [url, below] = [`https://127.0.0.1:${ports.root}`, `https://127.0.0.1:${ports.below}/kb`];
    child = proxy.start(ports);
    let said = "";
    for (const stream of [child.stdout, child.stderr]) stream?.on("data", (chunk) => (said += chunk));
    for (let tries = 0; ; tries++) {
      if (child.exitCode !== null || tries === 300) throw new Error(`${proxy.name} did not start: ${said}`);
      if ((await call(`${url}/health`).catch(() => ({ status: 0 }))).status === 200) break;
      await sleep(100);
    }
  });
  afterAll(async () => {
    const gone = new Promise((resolve) => child.once("close", resolve));
    child.kill(proxy === caddy ? "SIGKILL" : "SIGTERM"); // Caddy would wait for connected clients
    await gone;
  });

  it("tells a watching device of the takeover at once", async () => {
    const { key } = await db.makeKey();
    const session_id = newSessionId();
    await call(`${url}/api/session/start`, { body: { access_key: key, session_id } });
    const events = await openStream(`${url}/api/session/watch`, { Authorization: `Bearer ${session_id}` });
    await events.until("event: live");
    await call(`${url}/api/session/start`, { body: { access_key: key } });
    await events.until("event: replaced");
    await events.ended;
  });

  it("keeps a quiet stream open, and lets a request wait for its permit, for longer than 10 s", async () => {
    const [user_id, other] = [`quiet-${proxy.name}`, `waits-${proxy.name}`];
    const room = `${url}/api/v1/session`;
    for (const id of [user_id, other]) await call(`${room}/create`, { body: { user_id: id, session_id: id } });
    expect((await call(`${room}/requests`, { body: { user_id } })).status).toBe(200);
    const events = await openStream(`${room}/events/${user_id}`);
    const waited = call(`${room}/requests`, { body: { user_id: other, wait_ms: 15_000 } });
    expect(await waited).toMatchObject({ status: 429, body: { code: "too_many_requests" } });
    await call(`${room}/close/${user_id}`, { method: "POST" });
    await events.until("event: closed");
    await call(`${room}/close/${other}`, { method: "POST" });
  });

  it("signs an operator in on a port of its own, and writes down where they came from", async () => {
    const options = { headers: { Origin: url }, body: { token: ADMIN_TOKEN }, from: "127.0.0.2" };
    expect((await call(`${url}/api/admin/sign-in`, options)).status).toBe(200);
    const bearer = { Authorization: `Bearer ${ADMIN_TOKEN}` };
    const audit = await call(`${url}/api/admin/audit?limit=1`, { headers: bearer });
    expect(audit.body.items[0]).toMatchObject({ action: "signed_in", from: "127.0.0.2" });
    const forged = { ...options, headers: { Origin: url, "X-Forwarded-For": "9.9.9.9" } };
    expect((await call(`${url}/api/admin/sign-in`, forged)).status).toBe(200);
    const again = await call(`${url}/api/admin/audit?limit=1`, { headers: bearer });
    expect(again.body.items[0]).toMatchObject({ from: "127.0.0.2" });
  });

  it("takes an import as large as the service does", async () => {
    const lines = Array.from({ length: 250_000 }, () => newAccessKey()).join("\n");
    const headers = { Authorization: `Bearer ${ADMIN_TOKEN}`, "Content-Type": "text/plain" };
    const reply = await call(`${url}/api/admin/keys/import`, { headers, text: lines });
    expect(reply).toMatchObject({ status: 200, body: { imported: 250_000 } });
  }, 300_000);

  it("shows every page below a path, with nothing missing", async () => {
    await db.makeKey({ label: `Seen below a path, by ${proxy.name}` });
    const context = await browser.newContext({ ignoreHTTPSErrors: true, locale: "en-GB" });
    const page = await context.newPage();
    const missing = collectFailures(page, below);
    await page.goto(`${below}/admin/`);
    await page.getByLabel("Admin token").fill(ADMIN_TOKEN);
    await page.keyboard.press("Enter");
    await page.locator(".link-state[data-state=live]").waitFor();
    await page.getByRole("link", { name: "Keys" }).click();
    await page.getByText(`Seen below a path, by ${proxy.name}`).waitFor();

    await page.goto(`${below}/docs`);
    await page.locator('.opblock[id$="-readHealth"] .opblock-summary-control').click();
    const [answer] = await Promise.all([
      page.waitForResponse((response) => response.url() === `${below}/health`),
      page.locator('.opblock[id$="-readHealth"] .execute').click(),
    ]);
    expect(answer.status()).toBe(200);

    await page.goto(`${below}/demo/waiting-room`);
    await page.getByRole("button", { name: "Line up" }).click();
    await page.getByText("You have a seat").first().waitFor();
    await page.getByRole("button", { name: "Leave", exact: true }).click();
    await page.getByText("You have left.").waitFor();
    expect(missing).toEqual([]);
    await context.close();
  }, 120_000);
});

/** Answers that are errors (but for 401, before the sign-in), and requests that leave the path. */
function collectFailures(page: Page, base: string): string[] {
  const failures: string[] = [];
  page.on("response", (response) => {
    if (response.status() >= 400 && response.status() !== 401) failures.push(`${response.status()} ${response.url()}`);
  });
  page.on("request", (sent) => {
    if (!sent.url().startsWith(`${base}/`) && !/^(data|blob):/.test(sent.url()))
      failures.push(`outside: ${sent.url()}`);
  });
  page.on("pageerror", (error) => failures.push(String(error)));
  return failures;
}

interface Call {
  method?: string;
  headers?: Record<string, string>;
  body?: unknown;
  text?: string;
  /** The address to call from. */
  from?: string;
}

const trusting = new Agent({ rejectUnauthorized: false });

async function call(address: string, options: Call = {}) {
  const response = await open(address, options);
  let text = "";
  for await (const chunk of response) text += chunk;
  // biome-ignore lint/suspicious/noExplicitAny: whatever the server says; the tests look at it
  return { status: response.statusCode as number, body: (text.startsWith("{") ? JSON.parse(text) : text) as any };
}

function open(
  address: string,
  { method, headers, body, text, from }: Call = {},
): Promise<import("node:http").IncomingMessage> {
  const sent = text ?? (body === undefined ? undefined : JSON.stringify(body));
  return new Promise((resolve, reject) => {
    const outgoing = request(address, {
      method: method ?? (sent === undefined ? "GET" : "POST"),
      headers: { ...(body !== undefined && { "Content-Type": "application/json" }), ...headers },
      agent: trusting,
      ...(from !== undefined && { localAddress: from, agent: new Agent({ rejectUnauthorized: false }) }),
    });
    outgoing.once("error", reject);
    outgoing.once("response", resolve);
    outgoing.end(sent);
  });
}

async function openStream(address: string, headers: Record<string, string> = {}) {
  const response = await open(address, { headers });
  expect(response.statusCode).toBe(200);
  let text = "";
  let changed = () => {};
  response.on("data", (chunk) => {
    text += chunk;
    changed();
  });
  const ended = new Promise<void>((resolve) => response.once("close", resolve));
  return {
    ended,
    async until(part: string) {
      while (!text.includes(part)) {
        const more = new Promise<void>((resolve) => {
          changed = resolve;
        });
        await Promise.race([more, ended.then(() => Promise.reject(new Error(`the stream ended: ${text}`)))]);
      }
    },
  };
}
