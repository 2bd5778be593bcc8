/** Device sessions as operators see them, in the OpenAPI document: live and past ones, numbers and events. */
import { z } from "zod";
import { type Part, queryOf } from "../../http/openapi/part.ts";
import { id, pageQuery } from "../contract.ts";
import { aboutPage, answerOk } from "../description-shared.ts";
import {
  historyItem,
  historyPage,
  kickReply,
  kickRequest,
  listSessionsQuery,
  numbersReply,
  searchSessionsRequest,
  sessionItem,
  sessionsPage,
} from "./contract.ts";
import { eventDescription } from "./event-description.ts";
import { numbersDescription } from "./numbers-description.ts";

const LAPTOP = { name: "Laptop", platform: "macos", app_version: "2.1.0" };
const OFFICE_PC = { name: "Office PC", platform: "windows", app_version: "2.1.0" };

const now = {
  session_id: "3f2a91c0…",
  generation: 1772442931007000,
  started_at: "2026-03-02T09:15:31.007Z",
  last_heartbeat: "2026-03-02T09:15:58.350Z",
};

const sessions = {
  items: [
    {
      key_id: 41,
      access_key: "kb_7Jx2m…",
      label: "ACME, order 1187",
      ...now,
      expires_at: "2026-03-02T09:16:58.350Z",
      device: OFFICE_PC,
      with_proof: true,
      may_be_copied: false,
    },
  ],
  next_cursor: null,
};

const history = {
  items: [
    {
      ...now,
      ended_at: null,
      reason: null,
      ended_by: null,
      note: null,
      device: OFFICE_PC,
      replaced_by: null,
    },
    {
      generation: 1772442900120000,
      session_id: "c2a7f0de…",
      started_at: "2026-03-02T09:15:00.120Z",
      last_heartbeat: "2026-03-02T09:15:27.481Z",
      ended_at: "2026-03-02T09:15:31.007Z",
      reason: "replaced",
      ended_by: "takeover",
      note: null,
      device: LAPTOP,
      replaced_by: { generation: 1772442931007000, device: OFFICE_PC },
    },
  ],
  next_cursor: "1772442900120000",
};

export const deviceAdminPart: Pick<Part, "schemas" | "routes"> = {
  schemas: {
    Session: sessionItem,
    SessionsPage: sessionsPage,
    SearchSessionsRequest: searchSessionsRequest,
    KickRequest: kickRequest,
    KickReply: kickReply,
    HistoryItem: historyItem,
    HistoryPage: historyPage,
    Numbers: numbersReply,
  },
  routes: [
    {
      method: "get",
      path: "/api/admin/keys/{id}/history",
      operationId: "listHistory",
      access: "operator",
      summary: "A key's sessions, newest first: how each ended, and by whom",
      description: "The live one comes first, with `ended_at` null.",
      parameters: [
        { name: "id", in: "path", description: "The key's id.", example: 41, schema: id },
        ...queryOf(pageQuery, aboutPage),
      ],
      answers: answerOk("A page of its history.", historyPage, { history }),
      errors: ["key_not_found"],
    },
    {
      method: "get",
      path: "/api/admin/sessions",
      operationId: "listSessions",
      access: "operator",
      summary: "Who is on now",
      parameters: queryOf(listSessionsQuery, {
        ...aboutPage,
        prefix: { description: "The first characters of the key, at most 8. A whole key never goes into a URL." },
        label: { description: "Every word of it must begin a word of the label, in any case." },
        device: { description: "Part of the device's name, platform or app version, in any case." },
        silent_seconds_min: {
          description: "Only those without a heartbeat for so long.",
          schema: z.int().min(0),
        },
        sort: { description: "The order is that of the keys' ids in any case." },
      }),
      answers: answerOk("A page of live sessions.", sessionsPage, { sessions }),
    },
    {
      method: "post",
      path: "/api/admin/sessions/search",
      operationId: "searchSessions",
      access: "operator",
      summary: "Find who is on now, also by a whole key",
      body: {
        content: [
          {
            schema: searchSessionsRequest,
            examples: {
              whole_key: { access_key: "kb_7Jx2mQ9vR4tW8yZ1aB3cD5eF6gH0kL2n" },
              device: { device: "windows", silent_seconds_min: 30 },
            },
          },
        ],
      },
      answers: answerOk("A page of live sessions.", sessionsPage, { sessions, none: { items: [], next_cursor: null } }),
    },
    {
      method: "post",
      path: "/api/admin/sessions/kick",
      operationId: "kickSession",
      access: "operator",
      summary: "End a key's live session and its lease, and tell its device why",
      description:
        "The key stays good: the device, or another, may start again. With `generation` only that session, or lease. A device that works offline by a lease is not told: it may go on until the lease would have ended.",
      body: {
        content: [
          {
            schema: kickRequest,
            examples: {
              kick: { key_id: 41, reason: "Please call us about your order" },
              that_one: { key_id: 41, generation: now.generation },
            },
          },
        ],
      },
      answers: answerOk(
        "Whether this call ended a live session, a lease that held, or either (`success`).",
        kickReply,
        {
          ended: { success: true, session_ended: true, lease_freed: false },
          offline: { success: true, session_ended: false, lease_freed: true },
          not_live: { success: false, session_ended: false, lease_freed: false },
        },
      ),
    },
    numbersDescription,
    eventDescription,
  ],
};
