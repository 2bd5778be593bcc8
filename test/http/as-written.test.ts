/** Every address is served as it is written, and as nothing else: from the routes that are mounted. */
import { request } from "node:http";
import { describe, expect, it } from "vitest";
import { ADMIN_TOKEN, useApp } from "../support/app.ts";
import { useDatabase } from "../support/database.ts";
import { codeOf } from "../support/error-words.ts";

const db = useDatabase();
const app = useApp(db);

/** As the bytes stand, which fetch would tidy. */
function ask(method: string, path: string): Promise<{ status: number; code: string | undefined }> {
  const { port } = new URL(app.url);
  const headers = { Authorization: `Bearer ${ADMIN_TOKEN}` };
  return new Promise((resolve, reject) => {
    const sent = request({ port, host: "127.0.0.1", method, path, headers }, async (response) => {
      let text = "";
      for await (const part of response) text += part;
      resolve({
        status: response.statusCode as number,
        code: text.startsWith("{") ? codeOf(JSON.parse(text)) : undefined,
      });
    });
    sent.on("error", reject).end();
  });
}

/** An invalid address, an unknown one, one whose key id is no number, or that of a session that there cannot be. */
const NOWHERE = new Set(["400 invalid_request", "404 not_found", "404 key_not_found", "404 session_not_found"]);

const encoded = (text: string) => `%${text.charCodeAt(0).toString(16).toUpperCase()}`;

/** The same address, written in other ways. The names that vary stand for `jun`. */
function disguises(path: string): string[] {
  const parts = path.split("/").slice(1);
  const letters = parts.flatMap((part, at) =>
    part === "jun" || part === ""
      ? []
      : [[...parts.slice(0, at), encoded(part) + part.slice(1), ...parts.slice(at + 1)].join("/")],
  );
  return [
    ...letters.map((other) => `/${other}`),
    `/${path}`,
    `/.${path}`,
    `/x/..${path}`,
    `/%2e${path}`,
    `/x/%2E%2E${path}`,
    `/x\\..${path}`,
    path.replace(/^\//, "\\"),
    `${path.replace(/\/(?=[^/]*$)/, "//")}`,
    `/;x${path}`,
    ...(path.endsWith("jun") ? [] : [`${path};x=1`, `${path}%20`, `${path}%00`]),
  ];
}

describe("every route", () => {
  it("is nowhere but at its own address", async () => {
    const routes = app.routes().filter(({ method, path }) => method !== "ALL" && !path.includes("*"));
    const paths = [...new Set(routes.map(({ path }) => path.replace(/:\w+/g, "jun")))].filter((path) => path !== "/");
    expect(paths.length).toBeGreaterThan(40);
    expect(paths).toEqual(expect.arrayContaining(["/metrics", "/admin", "/api/admin/keys", "/api/session/start"]));
    const found: string[] = [];
    for (const path of paths) {
      for (const other of disguises(path)) {
        const { status, code } = await ask("GET", other);
        if (!NOWHERE.has(`${status} ${code}`)) found.push(`${other} ${status} ${code}`);
      }
    }
    expect(found).toEqual([]);
  });

  it("answers 404 to another method as well, and says of no method that it is taken", async () => {
    for (const path of ["/%6Detrics", "/api/%61dmin/keys", "//api/session/start", "/api/session/%73tart"]) {
      for (const method of ["POST", "DELETE", "OPTIONS"]) {
        expect([path, method, (await ask(method, path)).status]).toEqual([path, method, 404]);
      }
    }
  });

  it("takes what stands for a name in any encoding, and a proxy's form of an address", async () => {
    for (const user of ["jun", "%6Aun", "%EC%A4%80", "a%2Fb", "a;b"]) {
      expect([user, (await ask("GET", `/api/v1/session/position/${user}`)).code]).toEqual([user, "user_not_found"]);
    }
    expect((await ask("GET", "/health/live?x=/../%6D")).status).toBe(200);
    expect((await ask("GET", `${app.url}/health/live`)).status).toBe(200);
    expect((await ask("GET", `${app.url}/health/%6Cive`)).status).toBe(404);
  });

  it("with a name in it says of . and .. that they are none, in any encoding", async () => {
    const named = app.routes().filter(({ method, path }) => method !== "ALL" && /:\w+$/.test(path));
    expect(named.length).toBeGreaterThan(8);
    for (const { method, path } of named) {
      for (const name of [".", "..", "%2e", "%2E%2e", ".%2e"]) {
        const { status, code } = await ask(method, path.replace(/:\w+$/, name));
        expect([method, path, name, status, code]).toEqual([method, path, name, 400, "invalid_request"]);
      }
    }
  });
});
