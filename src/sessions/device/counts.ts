import { type BatchCounts, createBatchCounts } from "../../metrics/counts.ts";

/** What one process counts of device sessions, in plain numbers (see metrics/counts.ts). */
export interface DeviceCounts {
  starts: { new: number; takeover: number; resumed: number };
  /** Starts that had to wait, as two devices took a key from each other again and again. */
  pingPongs: number;
  /** Sessions ended because they were in use twice. */
  copies: number;
  /** Sessions ended by the owners of their keys. */
  signOuts: number;
  batches: BatchCounts;
}

export function createDeviceCounts(): DeviceCounts {
  return {
    starts: { new: 0, takeover: 0, resumed: 0 },
    pingPongs: 0,
    copies: 0,
    signOuts: 0,
    batches: createBatchCounts(),
  };
}
