/** The files for hosts: what they name is what this release has, and systemd finds nothing wrong with its units. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import cron from "node-cron";
import { afterAll, describe, expect, it } from "vitest";
import { useApp } from "../support/app.ts";
import { useDatabase } from "../support/database.ts";
import { keybeat } from "../support/process.ts";
import { settingNames } from "../support/settings.ts";

const app = useApp(useDatabase());
const UNITS = "scripts/deploy/systemd";
const folder = mkdtempSync(join(tmpdir(), "keybeat-deploy-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const FILES = [
  "Dockerfile",
  "compose.yaml",
  ...["railway.json", "railway-cleanup.json", "render.yaml", "fly.toml", "nginx.conf", "Caddyfile", "README.md"].map(
    (name) => `scripts/deploy/${name}`,
  ),
  ...readdirSync(UNITS).map((name) => `${UNITS}/${name}`),
];
const text = (file: string) => readFileSync(file, "utf8");
const all = FILES.map(text).join("\n");
const found = (pattern: RegExp) => [...new Set([...all.matchAll(pattern)].map((match) => match[1] as string))];

describe("the files for hosts", () => {
  it("ask for the health at an address that answers", async () => {
    const paths = found(/(\/health[\w/]*)/g);
    expect(paths).toContain("/health/live");
    for (const path of paths) expect([path, (await app.get(path)).status]).toEqual([path, 200]);
  });

  it("call only commands that there are", async () => {
    for (const command of ["serve", "cleanup", "migrate", "doctor", "keys create"]) {
      expect(all).toMatch(new RegExp(`keybeat[" ,]+${command}`));
      const { code } = await keybeat([...command.split(" "), "--help"]);
      expect([command, code]).toEqual([command, 0]);
    }
  });

  it("set only variables that the program reads", () => {
    const names = settingNames();
    const set = [
      ...text("compose.yaml").matchAll(/^ {6}([A-Z_]+):/gm),
      ...text("scripts/deploy/render.yaml").matchAll(/- key: ([A-Z_]+)/g),
      ...text("scripts/deploy/fly.toml").matchAll(/^ {2}([A-Z_]+) =/gm),
      ...text(`${UNITS}/keybeat@.service`).matchAll(/\b([A-Z_]+)=%?[\w.]+/g),
    ].map(([, name]) => name as string);
    const others = ["POSTGRES_USER", "POSTGRES_DB", "POSTGRES_PASSWORD", "NODE_ENV"];
    expect(set).toEqual(expect.arrayContaining(["DATABASE_URL", "ADMIN_TOKEN", "PORT", "HOST"]));
    for (const name of set) if (!others.includes(name)) expect(names).toContain(name);
  });

  it("say everywhere that a proxy stands in front", () => {
    const places = [
      "compose.yaml",
      ...["fly.toml", "render.yaml", "nginx.conf", "Caddyfile"].map((n) => `scripts/deploy/${n}`),
    ];
    for (const file of [...places, `${UNITS}/keybeat@.service`])
      expect([file, text(file)]).toEqual([file, expect.stringContaining("TRUST_PROXY")]);
    for (const section of text("scripts/deploy/README.md")
      .split("\n## ")
      .filter((part) => part.startsWith("Railway"))) {
      expect(section).toContain("`TRUST_PROXY`");
    }
  });

  it("give the time that a stop takes at most, and send SIGTERM", () => {
    expect(text("compose.yaml")).toContain("stop_grace_period: 15s");
    expect(JSON.parse(text("scripts/deploy/railway.json")).deploy.drainingSeconds).toBe(15);
    expect(text("scripts/deploy/render.yaml")).toContain("maxShutdownDelaySeconds: 30");
    expect(text("scripts/deploy/fly.toml")).toMatch(/kill_signal = "SIGTERM"\nkill_timeout = 15/);
    expect(text(`${UNITS}/keybeat@.service`)).toContain("TimeoutStopSec=15");
  });

  it("run the cleanup at times that make sense", () => {
    const lines = [
      JSON.parse(text("scripts/deploy/railway-cleanup.json")).deploy.cronSchedule,
      /schedule: "(.*)"/.exec(text("scripts/deploy/render.yaml"))?.[1],
    ];
    for (const line of lines) expect(cron.validate(line)).toBe(true);
  });

  it("are named by a guide that names no other", () => {
    const guide = text("scripts/deploy/README.md");
    for (const [, path] of guide.matchAll(/`((?:scripts|test)\/[\w./@-]+)`/g)) {
      expect(() => execFileSync("ls", [path as string], { stdio: "pipe" })).not.toThrow();
    }
    const others = FILES.filter((name) => !name.startsWith(UNITS) && !name.endsWith("README.md"));
    expect(others.filter((file) => !guide.includes(`\`${file}\``))).toEqual([]);
  });
});
