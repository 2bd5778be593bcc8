import type { Area } from "../view.ts";
import { createAuditView } from "./audit-view.ts";

export const auditArea: Area = {
  link: "Audit",
  href: "#/audit",
  open: (hash) => (hash === "#/audit" ? createAuditView() : undefined),
};
