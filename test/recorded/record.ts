/**
 * Records a release: `npm run record -- FOLDER DATABASE_URL NAME`, where FOLDER is its built checkout
 * and DATABASE_URL an empty database. Writes test/recorded/NAME.answers.json, which every later release is held to.
 */
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Exchange, type Json, play, unfill } from "./play.ts";
import { setStage } from "./stage.ts";
import { STORY } from "./story.ts";

const [folder, databaseUrl, name] = process.argv.slice(2) as [string, string, string];

const stage = await setStage(databaseUrl, async (env) => {
  const child = spawn(process.execPath, [join(folder, "dist/src/cli/keybeat.js"), "serve"], {
    env: { PATH: process.env.PATH, HOST: "127.0.0.1", PORT: "0", ...env },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  child.stdout.on("data", (chunk) => {
    output += chunk;
  });
  const exit = new Promise((resolve) => child.once("close", resolve));
  const stop = () => {
    child.kill("SIGTERM");
    return exit;
  };
  let url: string | undefined;
  while (url === undefined) {
    url = /^listening on (\S+)$/m.exec(output)?.[1];
    if (child.exitCode !== null) throw new Error(`the release ended: ${output}`);
    await sleep(20);
  }
  return { url, stop };
});
const exchanges = await play(STORY, stage);
await stage.clear();
const record = {
  recorded_from: name,
  exchanges: unfill(exchanges as unknown as Json, stage.names) as unknown as Exchange[],
};
writeFileSync(`test/recorded/${name}.answers.json`, `${JSON.stringify(record, null, 2)}\n`);
console.log(`${exchanges.length} steps recorded from ${name}`);
