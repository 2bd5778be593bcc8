/** What the page asks of batch sessions, which it calls runs. */
import type {
  BatchItem,
  BatchNodeItem,
  BatchNodesPage,
  BatchReply,
  BatchStatus,
  CancelReply,
  GroupItem,
} from "../../../batch/contract.ts";
import { call, type Page } from "../api.ts";

export type { BatchItem, BatchNodeItem, BatchReply, BatchStatus, GroupItem };
export type NodeState = NonNullable<BatchNodeItem["status"]> | "pending";

const NODES_PAGE_SIZE = 50;

export const listRuns = (filter: Record<string, string>) =>
  call<Page<BatchItem>>("GET", `batch?${new URLSearchParams(filter)}`);
export const readRun = (id: string) => call<BatchReply>("GET", `batch/${id}`);
/** Without results, which may be large, and of an error the beginning. */
export async function listNodes(id: string, status: NodeState, cursor: string | null): Promise<Page<BatchNodeItem>> {
  const asked = new URLSearchParams({ status, results: "false", limit: String(NODES_PAGE_SIZE) });
  if (cursor !== null) asked.set("cursor", cursor);
  const { nodes, next_cursor } = await call<BatchNodesPage>("GET", `batch/${id}/nodes?${asked}`);
  return { items: nodes, next_cursor };
}
export const cancelRun = (id: string, reason: string) => call<CancelReply>("POST", `batch/${id}/cancel`, why(reason));
export const endRun = (id: string, reason: string) => call<BatchItem>("POST", `batch/${id}/end`, why(reason));
export const resumeRun = (id: string) => call<BatchItem>("POST", `batch/${id}/resume`);
export const eraseRun = (id: string) => call("DELETE", `batch/${id}`);

const why = (reason: string) => (reason ? { reason } : {});
