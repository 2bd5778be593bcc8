/** What holds of proofs and nonces in every scenario, and the table's names for what is random in them. */
import { isDeepStrictEqual } from "node:util";
import type { ConformanceTable, Endpoint, Scenario } from "./scenario.ts";

/** A proof in the table's words; null: there was none. */
export type NamedProof = { instance: string; beat: number; answer: string | null } | null;

interface SentProof {
  instance: string;
  number: number;
  beat_id: string;
  answer?: string;
}

const ID = /^[\w-]{16,128}$/;

export class TrustRules {
  readonly #takesPart: boolean;
  readonly #trusts: string | null;
  readonly #violations: string[];
  readonly #instances: string[] = [];
  readonly #beats = new Map<string, object>();
  readonly #numbers = new Map<string, number>();
  readonly #nonces = new Set<string>();

  constructor(table: ConformanceTable, { client }: Scenario, violations: string[]) {
    this.#takesPart = client?.proof ?? false;
    this.#trusts = client?.public_keys?.map((name) => table.signing_keys[name]?.id).join(",") ?? null;
    this.#violations = violations;
  }

  /** Checks the request, and names its proof. */
  note(request: Endpoint, url: string, init: RequestInit): NamedProof {
    const body = JSON.parse((init.body as string | undefined) ?? "{}");
    this.#noteNonce(new Headers(init.headers));
    const due = this.#takesPart && /^(start|heartbeat|lease)$/.test(request);
    if (due !== (body.proof !== undefined)) this.#violations.push(`a ${request} with${due ? "out" : ""} proof`);
    const asksForClones = url.endsWith("watch?proof=true");
    if (request === "watch" && asksForClones !== this.#takesPart) this.#violations.push(`a watch at ${url}`);
    return body.proof ? this.#noteProof(body) : null;
  }

  #noteProof({ proof, ...body }: { proof: SentProof }): NamedProof {
    const { answer, ...beat } = proof;
    const { beat_id, instance, number } = beat;
    if (!ID.test(instance) || !ID.test(beat_id)) this.#violations.push("a malformed proof");
    const known = this.#beats.get(beat_id);
    if (known && !isDeepStrictEqual(known, { ...body, beat })) this.#violations.push("a beat that changed");
    if (!known && number <= (this.#numbers.get(instance) ?? -1)) this.#violations.push("a number that did not rise");
    if (!known) this.#numbers.set(instance, number);
    this.#beats.set(beat_id, { ...body, beat });
    if (!this.#instances.includes(instance)) this.#instances.push(instance);
    const name = String.fromCharCode(80 + this.#instances.indexOf(instance));
    return { instance: name, beat: [...this.#beats.keys()].indexOf(beat_id) + 1, answer: answer ?? null };
  }

  #noteNonce(headers: Headers): void {
    const nonce = headers.get("keybeat-nonce");
    if (headers.get("keybeat-trusts") !== this.#trusts) this.#violations.push("the wrong Keybeat-Trusts");
    if (this.#trusts === null ? nonce !== null : !ID.test(nonce ?? "")) this.#violations.push(`the nonce ${nonce}`);
    if (nonce && this.#nonces.has(nonce)) this.#violations.push("a nonce that was used before");
    if (nonce) this.#nonces.add(nonce);
  }
}
