/**
 * The lease for a day offline, kept where the session id is (src/trust/README.md, Leases).
 *
 * What it promises: it holds until its end by the service's clock, and not while this device's clock is behind a time that it
 * has seen, also one that a process before this one saw. Whoever can change the storage or the program is not kept out.
 */
import type { LeaseReply } from "../../sessions/device/contract.ts";
import { type Answer, type Expected, send, tellUnreachable } from "../answer.ts";
import { readLoss } from "../endings.ts";
import { KeybeatError, type KeybeatErrorCode } from "../error.ts";
import type { StartOptions } from "../options.ts";
import type { DeviceLink } from "../request.ts";
import { keepSessionId, type StoredId } from "../storage.ts";
import { fromBase64Url } from "./bytes.ts";
import type { PublicKeys } from "./public-keys.ts";

/** A clock may be put right by so much. */
const FALL_MS_MAX = 10_000;
const SAVE_EVERY_MS = 60_000;
/** The session id, which may be empty, and with a lease also that, the clock's correction and the highest time, in ms. */
const STORED = /^([\w-]{16,128})?(?: ([\w.-]+) (-?\d+) (\d+))?$/;

const ANSWERS: Expected = {
  refusals:
    /^(400 invalid_request|404 session_not_found|409 (lease_unavailable|proof_challenge|proof_required)|410 session_[a-z]+)$/,
  isReply: (body, status) =>
    status === 200 &&
    (typeof body.lease === "string" ? Number.isFinite(toMs(body.server_time)) : body.success === !!body.success),
};

interface Claims {
  kid: string;
  key: string;
  generation: number;
  until: string;
}

export type Hold = "held" | "lease_ended" | "clock_set_back";

export class Leases {
  readonly #link: DeviceLink;
  readonly #keys: PublicKeys;
  readonly #accessKey: string;
  readonly #stored: StoredId;
  #sessionId = "";
  #text: string | undefined;
  #claims: Claims | undefined;
  /** The service's clock less this device's. */
  #skewMs = 0;
  #highestMs = 0;
  #savedMs = 0;

  /** The session id's part of the storage. */
  readonly storedId: StoredId = {
    read: async () => this.#sessionId || undefined,
    write: (sessionId) => this.#keepId(sessionId),
    forget: () => this.#keepId(""),
  };

  private constructor(link: DeviceLink, keys: PublicKeys, { accessKey, storage }: StartOptions) {
    this.#link = link;
    this.#keys = keys;
    this.#accessKey = accessKey;
    this.#stored = keepSessionId(storage, STORED);
  }

  /** With what a process before this one left in the storage. */
  static async open(link: DeviceLink, keys: PublicKeys, options: StartOptions): Promise<Leases> {
    const leases = new Leases(link, keys, options);
    const [, id = "", text, skew, highest] = STORED.exec((await leases.#stored.read()) ?? "") ?? [];
    leases.#sessionId = id;
    const claims = text && (await leases.#read(text));
    if (!claims) return leases;
    leases.#text = text;
    leases.#claims = claims;
    leases.#skewMs = Number(skew);
    leases.#highestMs = Number(highest);
    return leases;
  }

  /** The signed lease, which each start brings along. */
  get text(): string | undefined {
    return this.#text;
  }

  /** Of the lease that holds: until when, and for which generation. */
  get claims(): Claims {
    return this.#claims as Claims;
  }

  /** Whether there is a lease that holds now. Reads the clock, and remembers it. */
  look(): Hold | undefined {
    if (!this.#claims) return undefined;
    const now = this.#link.clock.wall() + this.#skewMs;
    if (now < this.#highestMs - FALL_MS_MAX) return "clock_set_back";
    this.#highestMs = Math.max(now, this.#highestMs);
    if (this.#highestMs >= this.#savedMs + SAVE_EVERY_MS) void this.#save();
    return now < toMs(this.#claims.until) ? "held" : "lease_ended";
  }

  /** The service said what time it is. */
  heard(serverTime: string): void {
    const now = toMs(serverTime);
    if (!this.#claims || !Number.isFinite(now)) return;
    this.#skewMs = Math.round(now - this.#link.clock.wall());
    this.#highestMs = now;
    void this.#save();
  }

  /**
   * The session has that generation. A lease of another one was used up by the start that made this one, also where only a
   * repeat of that start was answered (`resumed`).
   */
  sessionIs(generation: number): void {
    if (this.#claims?.generation !== generation) void this.drop();
  }

  /** The lease is over, or another's. */
  drop(): unknown {
    if (!this.#text) return;
    this.#text = this.#claims = undefined;
    return this.#keepId(this.#sessionId);
  }

  /** Asks for a lease of so many hours; with proof that is a beat. Throws a KeybeatError. */
  async ask(sessionId: string, hours: number): Promise<{ until: string }> {
    const { proof } = this.#link;
    const abort = new AbortController();
    const post = (body: object) => this.#post("lease", body, abort);
    const asked = { session_id: sessionId, hours };
    const answer = await (proof ? proof.send(asked, post, abort.signal) : post(asked));
    const { lease, server_time } = this.#expect<LeaseReply>("lease", answer);
    const claims = await this.#read(lease);
    if (!claims) throw new KeybeatError("unreachable", "the lease is not signed by a trusted key");
    this.#text = lease;
    this.#claims = claims;
    this.heard(server_time);
    await this.#save();
    return { until: claims.until };
  }

  /** Gives the lease back, so that another device can start. False: there was none. Throws a KeybeatError. */
  async giveBack(): Promise<boolean> {
    if (!this.#text) return false;
    const { success } = this.#expect<{ success: boolean }>(
      "lease/return",
      await this.#post("lease/return", { lease: this.#text }),
    );
    await this.drop();
    return success;
  }

  #post<T>(path: string, body: object, abort?: AbortController): Promise<Answer<T>> {
    const init = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
    return send(this.#link, this.#link.url + path, init, ANSWERS, { abort });
  }

  #expect<T>(path: string, answer: Answer<unknown>): T {
    if (answer.kind === "ok") return answer.body as T;
    if (answer.kind === "failed") throw tellUnreachable(this.#link.url + path, answer);
    const { code, error, ...data } = answer.body;
    throw new KeybeatError(readLoss(answer.body)?.reason ?? (code as KeybeatErrorCode), error, data);
  }

  async #read(text: string): Promise<Claims | undefined> {
    const [first = "", signature = "", ...more] = text.split(".");
    try {
      const claims = JSON.parse(new TextDecoder().decode(fromBase64Url(first)));
      const right =
        more.length === 0 &&
        claims.v === 1 &&
        Number.isFinite(toMs(claims.until)) &&
        isMask(claims.key, this.#accessKey);
      return right && (await this.#keys.verify(claims.kid, signature, `keybeat-lease-v1\n${first}`))
        ? claims
        : undefined;
    } catch {
      return undefined;
    }
  }

  #keepId(sessionId: string): Promise<unknown> {
    this.#sessionId = sessionId;
    return this.#text ? this.#save() : sessionId ? this.#stored.write(sessionId) : this.#stored.forget();
  }

  #save(): Promise<unknown> {
    this.#savedMs = this.#highestMs;
    return this.#stored.write(`${this.#sessionId} ${this.#text} ${this.#skewMs} ${Math.round(this.#highestMs)}`);
  }
}

const toMs = (moment: unknown): number => Date.parse(String(moment));

/** Whether "abc12345…" is how people see that key, which may have been typed in another case, or with O for 0. */
const isMask = (mask: unknown, key: string): boolean =>
  foldKey(key).startsWith(foldKey(String(mask).replace(/…$/, "")));

const foldKey = (key: string): string => key.toLowerCase().replaceAll("o", "0").replace(/[il]/g, "1");
