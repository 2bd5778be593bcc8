/**
 * An identity provider's public keys, from JWKS_URL: cached for ten minutes, fetched again at most every 30 s for an
 * unknown key, and ever more rarely while the provider fails. Everything that is kept is bounded.
 */
import { createRemoteJWKSet, customFetch, type JWTVerifyGetKey } from "jose";

const TIMEOUT_MS = 2_000;
const BYTES_MAX = 512 * 1024;
/** The first failure may be momentary; from the second on there is a pause. */
const PAUSE_MS = 250;
const PAUSE_MS_MAX = 10_000;

export function fetchKeys(url: URL): JWTVerifyGetKey {
  let failures = 0;
  let silentUntil = 0;
  return createRemoteJWKSet(url, {
    timeoutDuration: TIMEOUT_MS,
    async [customFetch](address, options) {
      if (performance.now() < silentUntil) throw new Error("the provider of the keys has just failed");
      try {
        const response = await readSet(await fetch(address, options));
        failures = 0;
        return response;
      } catch (error) {
        failures++;
        if (failures > 1) silentUntil = performance.now() + Math.min(PAUSE_MS_MAX, PAUSE_MS * 2 ** (failures - 2));
        throw error;
      }
    },
  });
}

async function readSet(response: Response): Promise<Response> {
  if (response.status !== 200) throw new Error(`the provider of the keys answers ${response.status}`);
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of response.body ?? []) {
    bytes += part.length;
    if (bytes > BYTES_MAX) throw new Error(`the set of keys is over ${BYTES_MAX} bytes`);
    parts.push(part);
  }
  const { keys } = JSON.parse(Buffer.concat(parts).toString("utf8")) as { keys?: unknown };
  if (!Array.isArray(keys)) throw new Error("the provider of the keys sends no set of keys");
  return Response.json({ keys });
}
