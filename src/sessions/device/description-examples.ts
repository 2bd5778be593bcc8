/** One story for the examples of device sessions: the laptop starts, and the office PC takes the key over. */
import { z } from "zod";

const ACCESS_KEY = "kb_7Jx2mQ9vR4tW8yZ1aB3cD5eF6gH0kL2n";
const LAPTOP = "c2a7f0de-5a0b-4e2f-8f53-6f1f6c1f9b10";
const OFFICE_PC = "3f2a91c0-8e74-4d0a-9d3f-2b6a4c7e1d58";

const laptop = { name: "Laptop", platform: "macos", app_version: "2.1.0" };
const officePc = { name: "Office PC", platform: "windows", app_version: "2.1.0" };

/** The office PC's call, after the laptop's start. */
export const mine = { session_id: OFFICE_PC };

/** The same, with proof that it is the only one. */
export const proven = {
  ...mine,
  proof: { instance: "mK3vQ0xZr8dW1yTn", number: 14, beat_id: "Jw5cL7bXe2uHq9Fs" },
};

export const holder = {
  started_at: "2026-03-02T09:15:00.120Z",
  last_heartbeat: "2026-03-02T09:15:27.481Z",
  generation: 1772442900120000,
  device: laptop,
};

export const ended = { ended_at: "2026-03-02T09:15:31.007Z" };

export const replaced = {
  ended_at: "2026-03-02T09:15:31.007Z",
  replaced_by: { started_at: "2026-03-02T09:15:31.007Z", device: officePc },
};

export const beat = {
  success: true,
  generation: 1772442931007000,
  expires_at: "2026-03-02T09:16:58.350Z",
  expires_in: 60,
  heartbeat_in: 26.1,
  server_time: "2026-03-02T09:15:58.350Z",
};

export const startRequests = {
  take_over: { access_key: ACCESS_KEY, session_id: OFFICE_PC, device: officePc },
  ask_first: { access_key: ACCESS_KEY, device: officePc, on_conflict: "refuse" },
  replace_that_holder: { access_key: ACCESS_KEY, device: officePc, expected_generation: holder.generation },
};

const started = {
  success: true,
  session_id: OFFICE_PC,
  generation: 1772442931007000,
  started_at: "2026-03-02T09:15:31.007Z",
  expires_at: "2026-03-02T09:16:31.007Z",
  expires_in: 60,
  heartbeat_in: 27.4,
  server_time: "2026-03-02T09:15:31.007Z",
};
const nobodyBefore = { previous_session_terminated: false, previous_session: null };

export const startReplies = {
  taken_over: {
    ...started,
    resumed: false,
    previous_session_terminated: true,
    previous_session: {
      session_id: "c2a7f0de…",
      started_at: holder.started_at,
      last_heartbeat: holder.last_heartbeat,
      device: laptop,
    },
  },
  first: { ...started, resumed: false, ...nobodyBefore },
  resumed: { ...started, resumed: true, ...nobodyBefore },
};

export const statusRequests = {
  by_key: { access_key: ACCESS_KEY },
  is_it_me: { access_key: ACCESS_KEY, session_id: LAPTOP },
};

const seen = { ...holder, expires_at: "2026-03-02T09:16:27.481Z" };

export const statusReplies = {
  nobody: { active: false },
  nobody_by_a_lease: { active: false, leased_until: "2026-03-03T09:16:02.113Z" },
  another_device: { active: true, session: { session_id: "c2a7f0de…", is_current: false, ...seen } },
  this_device: { active: true, session: { session_id: LAPTOP, is_current: true, ...seen } },
};

export const leaseRequest = { session_id: OFFICE_PC, hours: 24 };
export const provenLeaseRequest = { ...proven, hours: 24 };

export const leaseReply = {
  lease: `${Buffer.from(
    JSON.stringify({
      v: 1,
      kid: "21fe31dfa154a261",
      lease_id: "0c2f6a0e-6f5e-4f57-8a55-0f0f8a3c7b52",
      key: "kb_7Jx2m…",
      generation: 1772442931007000,
      device: officePc,
      issued_at: "2026-03-02T09:16:02.113Z",
      until: "2026-03-03T09:16:02.113Z",
    }),
  ).toString("base64url")}.${"A".repeat(86)}`,
  until: "2026-03-03T09:16:02.113Z",
  issued_at: "2026-03-02T09:16:02.113Z",
  server_time: "2026-03-02T09:16:02.113Z",
};

export const signOut = { access_key: ACCESS_KEY, expected_generation: holder.generation };

export const history = {
  endings: [
    { day: "2026-03-02", reason: "replaced" },
    { day: "2026-02-27", reason: "ended" },
  ],
};

export const stream = z.string().meta({ description: "Server-sent events; the data of each is one line of JSON." });

const replacedEvent = {
  error: "Another device has taken over this access key",
  code: "session_replaced",
  request_id: "5b1f0c7e-3a52-4a4e-9c1d-0f6d2f6f8a11",
  ...replaced,
};

export const streams = {
  taken_over: `event: live\ndata: ${JSON.stringify(beat)}\n\n:\n\nevent: replaced\ndata: ${JSON.stringify(replacedEvent)}\n\n`,
};

export const challenge =
  "5b1f0c7e3a524a4e9c1d0f6d2f6f8a110000019cadd3a1c99f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
