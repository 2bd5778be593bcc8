/** The audit log in the OpenAPI document. */
import { type Part, queryOf } from "../../http/openapi/part.ts";
import { pageQuery } from "../contract.ts";
import { aboutPage, answerOk } from "../description-shared.ts";
import { auditItem, auditPage } from "./contract.ts";

export const auditPart: Pick<Part, "schemas" | "routes"> = {
  schemas: { AuditItem: auditItem, AuditPage: auditPage },
  routes: [
    {
      method: "get",
      path: "/api/admin/audit",
      operationId: "listAudit",
      access: "operator",
      summary: "What operators changed, who and from where, newest first",
      parameters: queryOf(pageQuery, aboutPage),
      answers: answerOk("A page of the log.", auditPage, {
        page: {
          items: [
            {
              id: 12,
              at: "2026-03-02T10:02:11.480Z",
              who: "token",
              from: "203.0.113.7",
              action: "key_revoked",
              key_id: 41,
              details: { reason: "shared" },
            },
          ],
          next_cursor: null,
        },
      }),
    },
  ],
};
