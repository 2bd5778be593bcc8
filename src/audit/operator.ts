/** Who makes a change, for the audit log. A verb is told; it never asks the host or the request. */
export interface Operator {
  who: string;
  /** The address of the request; null: none. */
  from: string | null;
}
