import { REQUEST_DEADLINE_MS } from "../../database/database.ts";
import { formsOf, type HashKey, maskKey } from "../../keys/index.ts";

/**
 * Asks by the key as given, then, if that is unknown, by the key as it would have been minted. All that is asked shares one
 * deadline, so that the answer comes in time (G8).
 */
export async function askUnderKey<Row extends { outcome: string }>(
  hashKey: HashKey,
  accessKey: string,
  ask: (hash: Uint8Array, maskedKey: string, until: number) => Promise<Row>,
): Promise<{ row: Row; hash: Uint8Array; maskedKey: string }> {
  const until = performance.now() + REQUEST_DEADLINE_MS;
  const [given = "", minted] = formsOf(accessKey);
  const askBy = async (key: string) => {
    const hash = hashKey(key);
    const maskedKey = maskKey(key);
    return { row: await ask(hash, maskedKey, until), hash, maskedKey };
  };
  const answer = await askBy(given);
  return answer.row.outcome === "invalid_key" && minted !== undefined ? askBy(minted) : answer;
}
