/** What is asked of a release when it is recorded: every public route, every code that a client can be given. */
import type { Json, Step } from "./play.ts";

const post = (path: string, body: unknown, headers?: Record<string, string>) =>
  ({ method: "POST", path, body, ...(headers && { headers }) }) as Extract<Step, { request: unknown }>["request"];
const start = (fields: object) => post("/api/session/start", fields);
const beat = (session_id: string) => post("/api/session/heartbeat", { session_id });
const end = (session_id: string) => post("/api/session/end", { session_id });
const status = (fields: object) => post("/api/session/status", fields);

const [a, b, c, d, e, f, never] = ["a", "b", "c", "d", "e", "f", "never"].map((name) => `{{id_${name}}}`) as [
  string,
  string,
  string,
  string,
  string,
  string,
  string,
];
const [one, two, three] = ["{{key_one}}", "{{key_two}}", "{{key_three}}"] as const;
const CLEANUP = "/api/admin/cleanup-sessions";

export const STORY: Step[] = [
  { name: "health", request: { method: "GET", path: "/health" } },
  { name: "health of the process alone", request: { method: "GET", path: "/health/live" } },

  { name: "nobody is on", request: status({ access_key: one }) },
  { name: "a bare start makes an id up", request: start({ access_key: three }), keep: { made_up: "session_id" } },
  { name: "its end", request: end("{{made_up}}") },
  {
    name: "device A starts",
    request: start({
      access_key: one,
      session_id: a,
      device: { name: "Office PC", platform: "windows", app_version: "2.1" },
    }),
  },
  { name: "unknown fields are ignored", request: post("/api/session/heartbeat", { session_id: a, colour: "red" }) },
  { name: "A's heartbeat", request: beat(a) },
  { name: "A starts again: resumed", request: start({ access_key: one, session_id: a }) },
  { name: "who is on, asked by A", request: status({ access_key: one, session_id: a }) },
  { name: "who is on, asked by another", request: status({ access_key: one }) },
  { name: "B is polite", request: start({ access_key: one, session_id: b, on_conflict: "refuse" }) },
  { name: "B knows an old holder", request: start({ access_key: one, session_id: b, expected_generation: 1 }) },
  { name: "A watches", watch: a, stream: "a" },
  { name: "B takes over", request: start({ access_key: one, session_id: b, device: { name: "Laptop" } }) },
  { name: "A's stream", finish: "a" },
  { name: "A's heartbeat after the takeover", request: beat(a) },
  { name: "A watches after the takeover", watch: a, stream: "a too late" },
  { name: "A's late end", request: end(a) },
  { name: "A's id a second time", request: start({ access_key: one, session_id: a }) },
  { name: "B's id with another key", request: start({ access_key: two, session_id: b }) },
  { name: "B watches", watch: b, stream: "b" },
  { name: "B ends", request: end(b) },
  { name: "B's stream", finish: "b" },
  { name: "B's heartbeat after its end", request: beat(b) },
  { name: "B ends twice", request: end(b) },
  {
    name: "C starts where nobody is on, whatever it expected",
    request: start({ access_key: one, session_id: c, expected_generation: 5 }),
  },
  { name: "C falls silent", silence: { session_id: c, seconds: 61 } },
  { name: "C's heartbeat", request: beat(c) },
  { name: "who is on after that", request: status({ access_key: one }) },

  { name: "an unknown session", request: beat(never) },
  { name: "end of an unknown session", request: end(never) },
  { name: "watch of an unknown session", watch: never, stream: "never" },
  { name: "an unknown key", request: start({ access_key: "no-such-key-anywhere" }) },
  { name: "status of an unknown key", request: status({ access_key: "no-such-key-anywhere" }) },
  { name: "an expired key", request: start({ access_key: "{{key_expired}}" }) },
  { name: "a revoked key", request: start({ access_key: "{{key_revoked}}" }) },
  { name: "D starts", request: start({ access_key: two, session_id: d }) },
  { name: "D watches", watch: d, stream: "d" },
  { name: "D's key is revoked", revoke: d },
  { name: "D's stream", finish: "d" },
  { name: "D's heartbeat after that", request: beat(d) },

  { name: "a body of the wrong shape", request: start({ access_key: 7 }) },
  { name: "a session id too short", request: beat("short") },
  { name: "broken JSON", request: { method: "POST", path: "/api/session/heartbeat", body: "{" } },
  {
    name: "another content type",
    request: {
      method: "POST",
      path: "/api/session/heartbeat",
      body: "session_id=x",
      headers: { "Content-Type": "text/plain" },
    },
  },
  { name: "a body too large", request: { method: "POST", path: "/api/session/heartbeat", body: " ", repeat: 17_000 } },
  { name: "headers too large", request: { method: "GET", path: "/health", headers: { "X-Pad": "x" }, repeat: 20_000 } },
  { name: "a body that never comes", stall: "/api/session/end" },
  { name: "an unknown path", request: { method: "GET", path: "/api/nothing" } },
  { name: "a wrong method", request: { method: "GET", path: "/api/session/start" } },
  { name: "a wrong method of watch", request: { method: "POST", path: "/api/session/watch" } },
  { name: "watch without a session", request: { method: "GET", path: "/api/session/watch" } },
  {
    name: "the id of the request comes back",
    request: post("/api/session/heartbeat", { session_id: never }, { "X-Request-Id": "a-request-of-mine" }),
  },

  { name: "cleanup without the token", request: { method: "POST", path: CLEANUP } },
  {
    name: "cleanup with a wrong token",
    request: { method: "POST", path: CLEANUP, headers: { Authorization: "Bearer wrong" } },
  },
  { name: "E starts", request: start({ access_key: three, session_id: e }) },
  { name: "E falls silent", silence: { session_id: e, seconds: 61 } },
  { name: "cleanup", request: { method: "POST", path: CLEANUP, headers: { Authorization: "Bearer {{token}}" } } },
  {
    name: "cleanup as older scripts ask",
    request: { method: "POST", path: CLEANUP, headers: { "X-Admin-Password": "{{token}}" } },
  },
  { name: "E's heartbeat after the cleanup", request: beat(e) },
  {
    name: "cleanup where no token is configured",
    request: { method: "POST", path: CLEANUP, headers: { Authorization: "Bearer {{token}}" } },
    to: "server without admin token",
  },

  ...administration(),
  ...waitingRoom(),
  ...batchRuns(),

  { name: "F starts before the outage", request: start({ access_key: three, session_id: f }) },
  { name: "the database goes away", database: "away" },
  { name: "health in the outage", request: { method: "GET", path: "/health" } },
  { name: "health of the process in the outage", request: { method: "GET", path: "/health/live" } },
  { name: "start in the outage", request: start({ access_key: one }) },
  { name: "heartbeat in the outage", request: beat(f) },
  { name: "end in the outage", request: end(f) },
  { name: "status in the outage", request: status({ access_key: one }) },
  { name: "the database comes back", database: "back" },
  { name: "F's heartbeat after the outage", request: beat(f) },
  { name: "F ends", request: end(f) },
];

function administration(): Step[] {
  const headers = { Authorization: "Bearer {{token}}" };
  const get = (path: string) => ({ method: "GET", path: `/api/admin/${path}`, headers });
  const tell = (method: string, path: string, body: Json = {}) =>
    ({ method, path: `/api/admin/${path}`, headers, body: body }) as const;
  const key = "keys/{{made_key}}";
  return [
    { name: "keys without the token", request: { method: "GET", path: "/api/admin/keys" } },
    {
      name: "an operator makes a key",
      request: tell("POST", "keys", { access_key: "{{key_new}}", label: "Ada's laptop" }),
      keep: { made_key: "id" },
    },
    { name: "the same key again", request: tell("POST", "keys", { access_key: "{{key_new}}" }) },
    { name: "a device starts with it", request: start({ access_key: "{{key_new}}", session_id: "{{id_g}}" }) },
    { name: "the key", request: get(key) },
    { name: "a key that is not there", request: get("keys/999999999") },
    { name: "a label of another length", request: tell("PATCH", key, { label: "x".repeat(300) }) },
    { name: "another label", request: tell("PATCH", key, { label: "Ada's desk" }) },
    { name: "a search by label", request: tell("POST", "keys/search", { label: "desk" }) },
    { name: "live sessions of that label", request: get("sessions?label=desk") },
    { name: "a kick of nobody", request: tell("POST", "sessions/kick", { key_id: 999999999 }) },
    { name: "a kick with a note", request: tell("POST", "sessions/kick", '{"key_id":{{made_key}},"note":"Call us"}') },
    { name: "what the device is told", request: beat("{{id_g}}") },
    { name: "the key's history", request: get(`${key}/history`) },
    { name: "the key is revoked", request: tell("POST", `${key}/revoke`) },
    { name: "a start with a revoked key", request: start({ access_key: "{{key_new}}" }) },
    { name: "the key is restored", request: tell("POST", `${key}/restore`) },
    { name: "the key is erased", request: { method: "DELETE", path: `/api/admin/${key}`, headers } },
    { name: "an id that is no number", request: get("keys/none") },
  ];
}

function waitingRoom(): Step[] {
  const room = (method: string, path: string, body?: Json) =>
    ({ method, path: `/api/v1/session/${path}`, ...(body !== undefined && { body }) }) as const;
  const admin = { Authorization: "Bearer {{token}}" };
  const [ada, ben] = ["{{user_ada}}", "{{user_ben}}"];
  return [
    {
      name: "one seat",
      request: { method: "PATCH", path: "/api/admin/waiting-room", headers: admin, body: { max_active: 1 } },
    },
    { name: "Ada comes in", request: room("POST", "create", { user_id: ada, session_id: "{{id_g}}" }) },
    { name: "Ben waits", request: room("POST", "create", { user_id: ben, session_id: "{{id_f}}", priority: 5 }) },
    { name: "Ada again", request: room("POST", "create", { user_id: ada, session_id: "{{id_g}}" }) },
    {
      name: "a priority that is none",
      request: room("POST", "create", { user_id: ben, session_id: "{{id_f}}", priority: 11 }),
    },
    { name: "nobody comes", request: room("POST", "create", {}) },
    { name: "where Ben is", request: room("GET", `position/${ben}`) },
    { name: "where nobody is", request: room("GET", "position/nobody") },
    { name: "the room", request: room("GET", "status") },
    { name: "Ada may ask", request: room("POST", "requests", { user_id: ada }), keep: { permit: "permit_id" } },
    { name: "Ben may not ask", request: room("POST", "requests", { user_id: ben }) },
    { name: "Ada gives it back", request: room("DELETE", "requests/{{permit}}") },
    { name: "and again", request: room("DELETE", "requests/{{permit}}") },
    { name: "Ada goes", request: room("DELETE", `close/${ada}`) },
    { name: "Ben is in", request: room("GET", `position/${ben}`) },
    { name: "Ben goes", request: room("POST", `close/${ben}`, {}) },
    { name: "Ben goes twice", request: room("POST", `close/${ben}`, {}) },
    { name: "the operator's view", request: { method: "GET", path: "/api/admin/waiting-room", headers: admin } },
    {
      name: "where Ada was",
      request: { method: "GET", path: `/api/admin/waiting-room/users/${ada}/moves`, headers: admin },
    },
    {
      name: "Ada is forgotten",
      request: { method: "DELETE", path: `/api/admin/waiting-room/users/${ada}`, headers: admin },
    },
  ];
}

function batchRuns(): Step[] {
  const batch = (method: string, path: string, body?: Json) =>
    ({ method, path: `/api/v1/batch/${path}`, ...(body !== undefined && { body }) }) as const;
  const view = (method: string, path: string, body?: Json) =>
    ({ method, path: `/api/v1/parallel/${path}`, ...(body !== undefined && { body }) }) as const;
  const run = "sessions/{{run}}";
  const groups = [{ group_id: "g", agent_type: "summary", node_ids: ["one", "two"] }];
  return [
    {
      name: "a run",
      request: batch("POST", "sessions", { canvas_path: "a.canvas", node_count: 2 }),
      keep: { run: "session_id" },
    },
    { name: "a run of nothing", request: batch("POST", "sessions", {}) },
    { name: "a worker takes it", request: batch("POST", `${run}/claim`, { worker: "w1" }) },
    { name: "another would", request: batch("POST", `${run}/claim`, { worker: "w2" }) },
    { name: "a node is done", request: batch("PUT", `${run}/nodes/one`, { status: "success", attempt: 1 }) },
    { name: "and again", request: batch("PUT", `${run}/nodes/one`, { status: "success", attempt: 1 }) },
    { name: "a node fails", request: batch("PUT", `${run}/nodes/two`, { status: "failed", error: "no page" }) },
    { name: "one too many", request: batch("PUT", `${run}/nodes/three`, { status: "success" }) },
    { name: "a sign of life", request: batch("POST", `${run}/progress`, { message: "nearly" }) },
    { name: "it is not complete", request: batch("POST", `${run}/transition`, { status: "completed" }) },
    { name: "another takes it", request: batch("POST", `${run}/claim`, { worker: "w2", on_conflict: "replace" }) },
    { name: "the first reports", request: batch("POST", `${run}/progress`, { attempt: 1 }) },
    { name: "the run", request: batch("GET", run) },
    { name: "its nodes", request: batch("GET", `${run}/nodes`) },
    { name: "it ends", request: batch("POST", `${run}/complete`) },
    { name: "it ends twice", request: batch("POST", `${run}/cancel`) },
    { name: "it is resumed", request: batch("POST", `${run}/resume`), keep: { resumed: "session_id" } },
    { name: "a run that there is not", request: batch("GET", "sessions/00000000-0000-4000-8000-000000000000") },
    { name: "runs of a state that there is not", request: batch("GET", "sessions?status=lost") },
    { name: "the rest is cancelled", request: view("DELETE", "cancel/{{resumed}}") },
    {
      name: "groups",
      request: view("POST", "execute", { canvas_path: "b.canvas", groups }),
      keep: { task: "task_id" },
    },
    { name: "how far they are", request: view("GET", "status/{{task}}") },
    { name: "groups of nothing", request: view("POST", "execute", {}) },
    { name: "they are cancelled", request: view("POST", "cancel/{{task}}", {}) },
    { name: "they are cancelled twice", request: view("DELETE", "cancel/{{task}}") },
  ];
}
