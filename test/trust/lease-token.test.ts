import { sign } from "node:crypto";
import { expect, it } from "vitest";
import { type LeaseClaims, readLease, writeLease } from "../../src/trust/lease-token.ts";
import { createSeed, readSigningKeys, type SigningKey } from "../../src/trust/signing-keys.ts";

const keys = readSigningKeys(`${createSeed()} ${createSeed()}`);
const [newest, older] = keys as [SigningKey, SigningKey];
const [stranger] = readSigningKeys(createSeed()) as [SigningKey];

const CLAIMS: LeaseClaims = {
  lease_id: "4f1c9f52-9f0c-4a55-8c34-0d3c1f6f9b1e",
  key: "abc12345…",
  generation: 1_764_000_000_000_001,
  device: { name: "Zoë's laptop" },
  issued_at: "2026-11-30T08:00:00.000Z",
  until: "2026-12-01T08:00:00.000Z",
};

/** Any JSON, signed as a lease is. */
function signed(key: SigningKey, json: unknown): string {
  const first = Buffer.from(JSON.stringify(json)).toString("base64url");
  return `${first}.${sign(null, Buffer.from(`keybeat-lease-v1\n${first}`), key.secret).toString("base64url")}`;
}

it("says what it was made of, also by a retired key", () => {
  expect(readLease(keys, writeLease(newest, CLAIMS))).toEqual(CLAIMS);
  expect(readLease(keys, writeLease(older, CLAIMS))).toEqual(CLAIMS);
});

it("has the form that clients read", () => {
  const { device: _, ...bare } = CLAIMS;
  const [first] = writeLease(newest, bare).split(".") as [string];
  expect(JSON.parse(Buffer.from(first, "base64url").toString())).toEqual({ v: 1, kid: newest.id, ...bare });
  expect(writeLease(newest, CLAIMS)).toBe(signed(newest, { v: 1, kid: newest.id, ...CLAIMS }));
});

it("is none with any one character changed, left out or put in", () => {
  const token = writeLease(newest, CLAIMS);
  for (let at = 0; at < token.length; at++) {
    const [before, character, after] = [token.slice(0, at), token[at], token.slice(at + 1)];
    for (const put of ["", `${character}A`, ...["A", "B", "w", ".", "=", "é"].filter((other) => other !== character)]) {
      expect(readLease(keys, before + put + after)).toBeUndefined();
    }
  }
});

it("is none of another key, version, purpose or form", () => {
  const [first] = writeLease(newest, CLAIMS).split(".") as [string];
  const foreign = [
    writeLease(stranger, CLAIMS),
    signed(stranger, { v: 1, kid: newest.id, ...CLAIMS }),
    signed(older, { v: 1, kid: newest.id, ...CLAIMS }),
    signed(newest, { v: 2, kid: newest.id, ...CLAIMS }),
    signed(newest, { kid: newest.id, ...CLAIMS }),
    ...[null, 1, "text", [], {}].map((json) => signed(newest, json)),
    `${first}.${sign(null, Buffer.from(first), newest.secret).toString("base64url")}`,
    "",
    ".",
    first,
    "A".repeat(1_000_000),
    writeLease(newest, { ...CLAIMS, lease_id: "x".repeat(4096) }),
  ];
  for (const token of foreign) expect(readLease(keys, token)).toBeUndefined();
});
