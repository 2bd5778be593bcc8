/** The words of a run's states and endings; the database's constraints are made of them. */
export const BATCH_STATUSES = ["pending", "running", "completed", "partial_failure", "failed", "cancelled"] as const;

/** Why a run is over. */
export const ENDED_REASONS = ["reported", "cancelled", "silence", "deadline", "operator"] as const;

export const NODE_STATUSES = ["success", "failed", "skipped"] as const;
