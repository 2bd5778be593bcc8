/** The far side of a scenario: a fetch that replies by the scenario's rules, in virtual time, and notes what came. */
import type { ConformanceTable, Endpoint, Fault, Reply, Rule, Scenario } from "./scenario.ts";
import { type SignedRequest, TestSigner } from "./test-signer.ts";
import { type NamedProof, TrustRules } from "./trust-rules.ts";
import type { VirtualTime } from "./virtual-time.ts";

export interface NotedRequest {
  at: number;
  request: Endpoint;
  /** "A" for the first session id that was seen, "B" for the second, and so on. */
  session: string;
  body: Record<string, unknown>;
  /** Named as the table does; see TrustRules. */
  proof: NamedProof;
  /** 1 for the first lease that was given, 0 for one that never was, null for none. */
  lease: number | null;
  authorization: string | null;
  /** Neither answered, nor given up by the client. */
  open: boolean;
}

/** Nothing that the service says is nearly as long. */
const TAKEN_MAX = 1_048_576;

export class ScriptedServer {
  readonly requests: NotedRequest[] = [];
  /** What no scenario may see, found while it ran. */
  readonly violations: string[] = [];
  readonly #time: VirtualTime;
  readonly #table: ConformanceTable;
  readonly #scenario: Scenario;
  readonly #sessions: string[] = [];
  readonly #generations = new Map<string, number>();
  readonly #used = new Map<Rule, number>();
  readonly #seen = new Map<Rule, number>();
  readonly #signer: TestSigner;
  readonly #trust: TrustRules;
  readonly #leases: string[] = [];
  /** The last answer of each endpoint, with its signature. */
  readonly #last = new Map<Endpoint, Reply>();
  #connections = new Set<Connection>();

  constructor(time: VirtualTime, table: ConformanceTable, scenario: Scenario) {
    this.#time = time;
    this.#table = table;
    this.#scenario = scenario;
    this.#signer = new TestSigner(table.signing_keys);
    this.#trust = new TrustRules(table, scenario, this.violations);
    for (const act of scenario.stream ?? []) {
      time.at(act.at, () => {
        for (const connection of [...this.#connections]) {
          if ("close" in act) connection.close();
          else connection.tell(act.event, this.#reply(act.reply).body, act.signature);
        }
      });
    }
  }

  /** The name of a session id, given in the order of first appearance. */
  nameOf(sessionId: string): string {
    if (!this.#sessions.includes(sessionId)) this.#sessions.push(sessionId);
    return String.fromCharCode(65 + this.#sessions.indexOf(sessionId));
  }

  /** The device sleeps or is killed: calls in flight get neither an answer nor an error. */
  loseConnections(): void {
    for (const connection of this.#connections) connection.dead = true;
    this.#connections.clear();
    for (const request of this.requests) request.open = false;
  }

  fetch = (url: string, init: RequestInit): Promise<Response> => {
    const noted = this.#note(url, init);
    const rule = this.#findRule(noted);
    return new Promise((resolve, reject) => {
      const connection: Connection = { dead: false, write: () => {}, tell: () => {}, close: () => {}, abort: () => {} };
      this.#connections.add(connection);
      const settle = (run: () => void) => {
        if (connection.dead || !noted.open) return;
        noted.open = false;
        run();
      };
      init.signal?.addEventListener("abort", () => {
        noted.open = false;
        connection.dead = true;
        this.#connections.delete(connection);
        connection.abort();
        reject(new DOMException("This operation was aborted", "AbortError"));
      });
      if (rule?.hang) return;
      this.#time.at(this.#time.now + (rule?.delay ?? 0), () =>
        settle(() => {
          if (rule?.fail) return reject(networkError(rule.fail));
          if (rule?.flood || rule?.drip) return resolve(this.#pour(noted, connection, rule));
          const asked = signedPart(url, init);
          const signer = this.#chooseSigner(init, rule);
          if (noted.request === "watch" && !rule?.reply)
            return resolve(this.#openStream(connection, asked, signer, rule));
          const plain = rule?.reply ? this.#reply(rule.reply) : this.#usual(noted, rule?.with ?? {}, signer);
          const reply = this.#sign(noted, plain, asked, signer, rule?.signature);
          if (reply.status >= 300 && reply.status < 400 && init.redirect === "error") {
            return reject(new TypeError("fetch failed", { cause: new Error("unexpected redirect") }));
          }
          resolve(new Response(reply.text ?? JSON.stringify(reply.body), reply));
        }),
      );
    });
  };

  #note(url: string, init: RequestInit): NotedRequest {
    const { pathname } = new URL(url);
    const request = pathname.replace("/api/session/", "").replace("/", "_") as Endpoint;
    const body = JSON.parse((init.body as string | undefined) ?? "{}");
    const authorization = new Headers(init.headers).get("authorization");
    const sessionId = request === "watch" ? (authorization ?? "").replace("Bearer ", "") : body.session_id;
    const session = request === "lease_return" ? "" : this.nameOf(sessionId);
    if (url.includes(sessionId)) this.violations.push("a session id in a URL");
    const proof = this.#trust.note(request, url, init);
    const open = this.requests.some(
      (one) => one.open && ((one.request === request && request !== "end") || (one.proof && proof)),
    );
    if (open) this.violations.push(`a second ${proof ? "beat" : request} under way at ${this.#time.now}`);
    const lease = body.lease === undefined ? null : this.#leases.indexOf(body.lease) + 1;
    const noted = { at: this.#time.now, request, session, body, proof, lease, authorization, open: true };
    this.requests.push(noted);
    return noted;
  }

  #findRule(noted: NotedRequest): Rule | undefined {
    for (const rule of this.#scenario.server ?? []) {
      if (rule.to !== "*" && rule.to !== noted.request) continue;
      if (noted.at < (rule.from ?? 0) || noted.at >= (rule.until ?? Number.POSITIVE_INFINITY)) continue;
      const fields: Record<string, unknown> = { ...noted.body, session: noted.session };
      if (Object.entries(rule.when ?? {}).some(([name, value]) => fields[name] !== value)) continue;
      const seen = (this.#seen.get(rule) ?? 0) + 1;
      this.#seen.set(rule, seen);
      if (seen % (rule.every ?? 1) !== 0) continue;
      const used = this.#used.get(rule) ?? 0;
      if (used >= (rule.times ?? Number.POSITIVE_INFINITY)) continue;
      this.#used.set(rule, used + 1);
      return rule;
    }
    return undefined;
  }

  #reply(name: string): Reply {
    const reply = this.#table.replies[name];
    if (!reply) throw new Error(`no reply is called ${name}`);
    return reply;
  }

  /** What a healthy service says. */
  #usual(noted: NotedRequest, changes: Record<string, unknown>, signer: string | undefined): Reply {
    if (noted.request === "lease") return this.#lease(noted, signer);
    if (noted.request === "end" || noted.request === "lease_return")
      return { status: 200, body: { success: true, ...changes } };
    const known = this.#generations.get(noted.session);
    const generation = known ?? this.#generations.size + 1;
    if (noted.request === "start") this.#generations.set(noted.session, generation);
    const beat = { success: true, generation, ...this.#times() };
    const start = {
      session_id: noted.body.session_id,
      resumed: known !== undefined,
      started_at: this.#date(0),
      previous_session_terminated: false,
      previous_session: null,
    };
    return { status: 200, body: { ...beat, ...(noted.request === "start" && start), ...changes } };
  }

  #lease({ body, session }: NotedRequest, signer: string | undefined): Reply {
    const issued_at = this.#date(0);
    const until = this.#date(Number(body.hours) * 3_600_000);
    const generation = this.#generations.get(session);
    const claims = { lease_id: `lease-${this.#leases.length + 1}`, key: "conforma…", generation, issued_at, until };
    const lease = this.#signer.signLease(signer ?? "first", claims);
    this.#leases.push(lease);
    return { status: 200, body: { lease, until, issued_at, server_time: issued_at } };
  }

  #chooseSigner(init: RequestInit, rule: Rule | undefined): string | undefined {
    const trusts = new Headers(init.headers).get("keybeat-trusts");
    return this.#signer.choose(rule?.signed_by ? [rule.signed_by] : (this.#scenario.signs_with ?? []), trusts);
  }

  /** The answer as it goes out, signed if the service signs. */
  #sign(
    { request }: NotedRequest,
    plain: Reply,
    asked: SignedRequest,
    signer: string | undefined,
    fault?: Fault,
  ): Reply {
    const text = plain.text ?? JSON.stringify(plain.body);
    const last = this.#last.get(request);
    if (fault === "replayed" && last) return last;
    const unsigned = {
      status: plain.status,
      headers: plain.headers ?? {},
      text: fault === "changed" ? `${text} ` : text,
    };
    if (signer === undefined || fault === "none") return unsigned;
    const { status, headers } = unsigned;
    const signature = this.#signer.signAnswer(signer, asked, { status, body: text, at: this.#wall() }, fault);
    const reply = { ...unsigned, headers: { ...headers, "Keybeat-Signature": signature } };
    if (!fault) this.#last.set(request, reply);
    return reply;
  }

  #wall(): number {
    return Date.UTC(2030, 0, 1) + Math.round(this.#time.now);
  }

  #times(): Record<string, unknown> {
    const { expires_in, heartbeat_in } = this.#table.defaults;
    return { expires_in, heartbeat_in, server_time: this.#date(0), expires_at: this.#date(expires_in * 1000) };
  }

  #date(inMs: number): string {
    return new Date(Date.UTC(2030, 0, 1) + this.#time.now + inMs).toISOString();
  }

  /** An answer without end: as fast as the client reads, or a byte a second. */
  #pour({ request, at }: NotedRequest, connection: Connection, { flood }: Rule): Response {
    const piece = new TextEncoder().encode(flood ? ": ".repeat(8_192) : " ");
    let taken = 0;
    const stream = new ReadableStream<Uint8Array>({
      start: (controller) => {
        connection.abort = () => controller.error(new DOMException("This operation was aborted", "AbortError"));
        const drip = () => {
          if (connection.dead) return;
          controller.enqueue(piece);
          this.#time.at(this.#time.now + 1_000, drip);
        };
        if (!flood) drip();
      },
      pull: (controller) => {
        if (!flood) return;
        taken += piece.length;
        if (taken <= TAKEN_MAX) return controller.enqueue(piece);
        this.violations.push(`the ${request} at ${at} was read on and on`);
        controller.close();
      },
      cancel: () => {
        connection.dead = true;
      },
    });
    const type = request === "watch" ? "text/event-stream" : "application/json";
    return new Response(stream, { headers: { "Content-Type": type } });
  }

  #openStream(connection: Connection, asked: SignedRequest, signer: string | undefined, rule?: Rule): Response {
    const sign = signer && this.#signer.streamSigner(signer, asked);
    connection.tell = (event, body, fault = rule?.signature) => {
      const data = JSON.stringify(body);
      const signature = sign && fault !== "none" ? `signature: ${sign(event, data, this.#wall(), fault)}\n` : "";
      const told = fault === "changed" ? data.replace('"error":"', '"error":" ') : data;
      connection.write(`event: ${event}\ndata: ${told}\n${signature}\n`);
    };
    const encoder = new TextEncoder();
    const stream = new ReadableStream<Uint8Array>({
      start: (controller) => {
        connection.write = (text) => !connection.dead && controller.enqueue(encoder.encode(text));
        connection.abort = () => controller.error(new DOMException("This operation was aborted", "AbortError"));
        connection.close = () => {
          if (!connection.dead) controller.close();
          connection.dead = true;
          this.#connections.delete(connection);
        };
      },
      cancel: () => {
        connection.dead = true;
        this.#connections.delete(connection);
      },
    });
    connection.tell("live", { success: true, generation: 1, ...this.#times() });
    const comment = () => {
      if (connection.dead) return;
      connection.write(": still here\n\n");
      this.#time.at(this.#time.now + this.#table.defaults.comment_every, comment);
    };
    this.#time.at(this.#time.now + this.#table.defaults.comment_every, comment);
    return new Response(stream, { headers: { "Content-Type": "text/event-stream" } });
  }
}

interface Connection {
  dead: boolean;
  write(text: string): void;
  /** An event, signed if the service signs. */
  tell(event: string, body: unknown, fault?: Fault): void;
  close(): void;
  /** The client gives it up: reading from it fails. */
  abort(): void;
}

function signedPart(url: string, init: RequestInit): SignedRequest {
  const headers = new Headers(init.headers);
  return {
    method: init.method ?? "GET",
    route: url.slice(url.indexOf("/api/")),
    nonce: headers.get("keybeat-nonce") ?? "",
    content: (init.body as string | undefined) ?? headers.get("authorization") ?? "",
  };
}

function networkError(kind: "refused" | "reset" | "dns"): TypeError {
  const code = { refused: "ECONNREFUSED", reset: "ECONNRESET", dns: "ENOTFOUND" }[kind];
  return new TypeError("fetch failed", { cause: Object.assign(new Error(code), { code }) });
}
