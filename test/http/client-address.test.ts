/** Whose address it is: the connection's, or what the proxies that we trust say. */
import { describe, expect, it } from "vitest";
import { readConfig } from "../../src/config.ts";
import { groupAddress, type TrustProxy } from "../../src/http/client-address.ts";
import { ADMIN_TOKEN, postInit, useApp } from "../support/app.ts";
import { useDatabase } from "../support/database.ts";

const db = useDatabase();

/** Signs in over the network and reads in the audit log from where that was. */
function askThrough(trustProxy: TrustProxy) {
  const app = useApp(db, { adminToken: ADMIN_TOKEN, trustProxy });
  return async (forwarded?: string) => {
    const headers: Record<string, string> = forwarded === undefined ? {} : { "X-Forwarded-For": forwarded };
    const init = postInit({ token: ADMIN_TOKEN }, headers);
    expect((await fetch(`${app.url}/api/admin/sign-in`, init)).status).toBe(200);
    const { body } = await app.get("/api/admin/audit", { Authorization: `Bearer ${ADMIN_TOKEN}` });
    return body.items[0].from;
  };
}

describe("without TRUST_PROXY", () => {
  const addressOf = askThrough(undefined);

  it("is the connection's, whatever the caller says", async () => {
    expect(await addressOf()).toBe("127.0.0.1");
    expect(await addressOf("203.0.113.9")).toBe("127.0.0.1");
  });
});

describe("behind two proxies", () => {
  const addressOf = askThrough(2);

  it("is what the outer of them saw, not what stands left of it", async () => {
    expect(await addressOf("198.51.100.66, 203.0.113.9, 10.0.0.5")).toBe("203.0.113.9");
    expect(await addressOf("203.0.113.9")).toBe("203.0.113.9");
    expect(await addressOf("[2001:db8::1]:443, 10.0.0.5:1234")).toBe("2001:db8::1");
    expect(await addressOf("unknown, 10.0.0.5")).toBe("10.0.0.5");
    expect(await addressOf()).toBe("127.0.0.1");
  });
});

describe("behind proxies known by their addresses", () => {
  const addressOf = askThrough(["127.0.0.0/8", "10.0.0.0/8", "2001:db8:1::/48"]);

  it("is the first from the right that is none of them", async () => {
    expect(await addressOf("198.51.100.66, 203.0.113.9, 10.0.0.5, 2001:db8:1::7")).toBe("203.0.113.9");
    expect(await addressOf("10.0.0.9, 203.0.113.9")).toBe("203.0.113.9");
    expect(await addressOf("10.0.0.9")).toBe("10.0.0.9");
  });
});

describe("from a connection that is none of the known proxies", () => {
  const addressOf = askThrough(["10.0.0.0/8"]);

  it("is the connection's", async () => {
    expect(await addressOf("203.0.113.9")).toBe("127.0.0.1");
  });
});

it("counts an IPv6 caller by its /64, an IPv4 caller by itself", () => {
  expect(groupAddress("203.0.113.9")).toBe("203.0.113.9");
  expect(groupAddress("2001:db8:0:7::1")).toBe("2001:db8:0:7::/64");
  expect(groupAddress("2001:0db8:0:7:ffff:1:2:3")).toBe("2001:db8:0:7::/64");
  expect(groupAddress("::1")).toBe("0:0:0:0::/64");
  expect(groupAddress("2001:db8:0:8::1")).not.toBe(groupAddress("2001:db8:0:7::1"));
});

it("takes a number or networks, and refuses what would trust nobody or everybody by mistake", () => {
  expect(readConfig({}).trustProxy).toBeUndefined();
  expect(readConfig({ TRUST_PROXY: "1" }).trustProxy).toBe(1);
  expect(readConfig({ TRUST_PROXY: "10.0.0.0/8, ::1" }).trustProxy).toEqual(["10.0.0.0/8", "::1"]);
  for (const wrong of ["0", "21", "true", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/8,", "example.com", "::1/129"]) {
    expect(() => readConfig({ TRUST_PROXY: wrong }), wrong).toThrow("TRUST_PROXY");
  }
});
