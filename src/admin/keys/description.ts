/** /api/admin/keys in the OpenAPI document. */
import { type Errors, type ParameterDescription, type Part, queryOf } from "../../http/openapi/part.ts";
import { done, id } from "../contract.ts";
import { aboutPage, answerOk } from "../description-shared.ts";
import {
  createKeyReply,
  createKeyRequest,
  importAnswer,
  importPreview,
  importQuery,
  importReply,
  importRequest,
  keyItem,
  keysPage,
  listKeysQuery,
  patchKeyRequest,
  revokeKeyRequest,
  searchKeysRequest,
} from "./contract.ts";

const created = {
  id: 41,
  access_key: "kb_7Jx2mQ9vR4tW8yZ1aB3cD5eF6gH0kL2n",
  access_key_masked: "kb_7Jx2m…",
  label: "ACME, order 1187",
  created_at: "2026-03-01T08:00:00.000Z",
  expires_at: "2027-03-01T08:00:00.000Z",
};

const idle = {
  id: 41,
  access_key: "kb_7Jx2m…",
  label: "ACME, order 1187",
  created_at: "2026-03-01T08:00:00.000Z",
  expires_at: "2027-03-01T08:00:00.000Z",
  revoked_at: null,
  last_used_at: null,
  generation: 0,
  live: null,
  leased_until: null,
};

const live = {
  ...idle,
  last_used_at: "2026-03-02T09:15:31.007Z",
  generation: 1772442931007000,
  leased_until: null,
  live: {
    session_id: "3f2a91c0…",
    started_at: "2026-03-02T09:15:31.007Z",
    last_heartbeat: "2026-03-02T09:15:58.350Z",
    device: { name: "Office PC", platform: "windows", app_version: "2.1.0" },
    with_proof: true,
    may_be_copied: false,
  },
};

const offline = { ...idle, generation: 1772442931007000, leased_until: "2026-03-03T09:15:40.120Z" };

const revoked = { ...idle, revoked_at: "2026-03-02T10:02:11.480Z" };

const ID: ParameterDescription = {
  name: "id",
  in: "path",
  description: "The key's id.",
  example: 41,
  schema: id,
};

const CSV = "key,label,expires\nkb_first-key-0001,ACME,2027-03-01\nkb_second-key-0002,,\n";
const page = { items: [live], next_cursor: "41" };

export const keyErrors = {
  key_not_found: { when: "no key has this id.", message: "There is no such key" },
  key_exists: { when: "that access key exists already.", message: "That key exists already" },
} satisfies Errors;

export const keyPart: Pick<Part, "schemas" | "routes"> = {
  schemas: {
    CreateKeyRequest: createKeyRequest,
    CreateKeyReply: createKeyReply,
    Key: keyItem,
    KeysPage: keysPage,
    SearchKeysRequest: searchKeysRequest,
    PatchKeyRequest: patchKeyRequest,
    RevokeKeyRequest: revokeKeyRequest,
    ImportReply: importReply,
    ImportPreview: importPreview,
    ImportAnswer: importAnswer,
  },
  routes: [
    {
      method: "get",
      path: "/api/admin/keys",
      operationId: "listKeys",
      access: "operator",
      summary: "Keys, newest first",
      parameters: queryOf(listKeysQuery, {
        ...aboutPage,
        state: { description: "`live`: held by a device just now. `offline`: held by a lease, with nobody live." },
        label: { description: "Every word of it must begin a word of the label, in any case." },
        prefix: { description: "The first characters of the key, at most 8. A whole key never goes into a URL." },
      }),
      answers: answerOk("A page of keys.", keysPage, { page }),
    },
    {
      method: "post",
      path: "/api/admin/keys",
      operationId: "createKey",
      access: "operator",
      summary: "Make a key, or take in one that exists elsewhere",
      body: {
        content: [
          {
            schema: createKeyRequest,
            examples: {
              made_up: { label: "ACME, order 1187", expires_in_days: 365 },
              given: { access_key: "kb_7Jx2mQ9vR4tW8yZ1aB3cD5eF6gH0kL2n", expires_at: "2027-03-01T08:00:00Z" },
            },
          },
        ],
      },
      answers: [
        {
          status: 201,
          description: "The key, whole for this one time.",
          content: [{ schema: createKeyReply, examples: { created } }],
          headers: ["Cache-Control"],
        },
      ],
      errors: ["key_exists"],
    },
    {
      method: "post",
      path: "/api/admin/keys/search",
      operationId: "searchKeys",
      access: "operator",
      summary: "Find keys, also by a whole key",
      body: {
        content: [
          {
            schema: searchKeysRequest,
            examples: {
              whole: { access_key: "kb_7Jx2mQ9vR4tW8yZ1aB3cD5eF6gH0kL2n" },
              label: { label: "acme", state: "active", limit: 100 },
            },
          },
        ],
      },
      answers: answerOk("A page of keys.", keysPage, { page, none: { items: [], next_cursor: null } }),
    },
    {
      method: "post",
      path: "/api/admin/keys/import",
      operationId: "importKeys",
      access: "operator",
      summary: "Take many keys in: one a line, or a table as spreadsheets write it",
      description:
        "The columns are `key,label,expires`, or what a heading says, in any order; the separator is a comma, a semicolon, a tab or what a first line `sep=` says. UTF-8, UTF-16 with its mark, or the `charset` of the Content-Type; a line that is no UTF-8 is read as Windows-1252. A text with a line that is no key imports nothing, unless `partial=true`; a line that does not look right (a label like a key, a key with a blank, too many columns) is no key. No key is in the answer. At most 32 MiB, which may come slowly; one import at a time in a process, a second is 503.",
      parameters: queryOf(importQuery, {
        partial: { description: "Take in what can be, and list the rest." },
        dry_run: { description: "Change nothing, and say what would happen." },
      }),
      body: {
        content: [
          { type: "text/csv", schema: importRequest, examples: { csv: CSV } },
          { type: "text/plain", schema: importRequest, examples: { lines: "kb_first-key-0001\nkb_second-key-0002\n" } },
        ],
      },
      answers: answerOk("What was taken in, or would be.", importAnswer, {
        all: { imported: 2, skipped_known: 0, invalid: [] },
        nothing: { imported: 0, skipped_known: 0, invalid: [{ line: 3, reason: "the expiry is no date" }] },
        dry_run: {
          dry_run: true,
          imported: 2,
          skipped_known: 0,
          invalid: [],
          separator: ";",
          columns: ["label", "key"],
          ignored_columns: ["City"],
          encoding_guessed: false,
        },
      }),
    },
    {
      method: "get",
      path: "/api/admin/keys/{id}",
      operationId: "readKey",
      access: "operator",
      summary: "One key, and who holds it",
      parameters: [ID],
      answers: answerOk("The key.", keyItem, { live, offline, idle }),
      errors: ["key_not_found"],
    },
    {
      method: "patch",
      path: "/api/admin/keys/{id}",
      operationId: "patchKey",
      access: "operator",
      summary: "Change a key's label or expiry",
      description: "An expired key starts no session; one that is live goes on.",
      parameters: [ID],
      body: {
        content: [
          {
            schema: patchKeyRequest,
            examples: { label: { label: "ACME, order 2003" }, never_expires: { expires_at: null } },
          },
        ],
      },
      answers: answerOk("The key as it is now.", keyItem, { idle }),
      errors: ["key_not_found"],
    },
    {
      method: "delete",
      path: "/api/admin/keys/{id}",
      operationId: "eraseKey",
      access: "operator",
      summary: "Erase a key with all that is known of its devices",
      description: "The audit log keeps that it happened, without the devices. A live session ends as `revoked`.",
      parameters: [ID],
      answers: answerOk("It is erased.", done, { erased: { success: true } }),
      errors: ["key_not_found"],
    },
    {
      method: "post",
      path: "/api/admin/keys/{id}/revoke",
      operationId: "revokeKey",
      access: "operator",
      summary: "Revoke a key: its live session ends as `revoked`",
      parameters: [ID],
      body: { required: false, content: [{ schema: revokeKeyRequest, examples: { shared: { reason: "shared" } } }] },
      answers: answerOk("The key as it is now.", keyItem, { revoked }),
      errors: ["key_not_found"],
    },
    {
      method: "post",
      path: "/api/admin/keys/{id}/restore",
      operationId: "restoreKey",
      access: "operator",
      summary: "Take a revocation back",
      parameters: [ID],
      answers: answerOk("The key as it is now.", keyItem, { idle }),
      errors: ["key_not_found"],
    },
  ],
};
