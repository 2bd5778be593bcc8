/** What the OpenAPI document shows of batch sessions. */
const SESSION_ID = "0b9f5f0e-52c3-4a8e-9d55-0d2f8f5f9a10";

export const pending = {
  session_id: SESSION_ID,
  canvas_path: "courses/algebra.canvas",
  node_count: 40,
  status: "pending",
  created_at: "2026-03-02T09:00:00.000Z",
  updated_at: "2026-03-02T09:00:00.000Z",
  started_at: null,
  completed_at: null,
  progress_percent: 0,
  completed_nodes: 0,
  failed_nodes: 0,
  skipped_nodes: 0,
  node_results: {},
  node_results_truncated: false,
  error_message: null,
  metadata: { course: 7 },
  attempt: 0,
  worker: null,
  message: null,
  ended_reason: null,
  silent_until: "2026-03-02T09:30:00.000Z",
  deadline_at: null,
  resumed_from: null,
  resumed_as: null,
  estimated_completion: null,
};

export const node = {
  node_id: "page-17",
  status: "success",
  result: { file_path: "out/page-17.md" },
  error: null,
  started_at: "2026-03-02T09:01:10.000Z",
  completed_at: "2026-03-02T09:01:12.500Z",
  execution_time_ms: 2500,
  carried: false,
};

export const running = {
  ...pending,
  status: "running",
  updated_at: "2026-03-02T09:01:12.600Z",
  started_at: "2026-03-02T09:00:30.000Z",
  progress_percent: 2.5,
  completed_nodes: 1,
  node_results: { "page-17": node },
  attempt: 1,
  worker: "worker-a",
  silent_until: "2026-03-02T09:31:12.600Z",
  deadline_at: "2026-03-02T10:00:30.000Z",
  estimated_completion: "2026-03-02T09:28:53.000Z",
};

export const runningWithoutResults = { ...running, node_results: {}, node_results_truncated: true };

export const failed = {
  ...runningWithoutResults,
  status: "partial_failure",
  updated_at: "2026-03-02T09:20:00.000Z",
  completed_at: "2026-03-02T09:20:00.000Z",
  progress_percent: 100,
  completed_nodes: 39,
  failed_nodes: 1,
  ended_reason: "reported",
  silent_until: null,
  estimated_completion: null,
};

export const resumed = {
  ...pending,
  session_id: "6a1d1d5e-0a5c-4d0e-8a3b-1d9c7d5f3b21",
  node_results_truncated: true,
  progress_percent: 97.5,
  completed_nodes: 39,
  resumed_from: SESSION_ID,
};

export const ending = { status: "cancelled", ended_reason: "cancelled", error_message: "wrong course", attempt: 1 };

export const holder = {
  worker: "worker-a",
  since: "2026-03-02T09:00:30.000Z",
  last_seen: "2026-03-02T09:01:12.600Z",
  attempt: 1,
};

export const progress = {
  session_id: SESSION_ID,
  status: "running",
  progress_percent: 42,
  message: "translating",
  attempt: 1,
  silent_until: "2026-03-02T09:31:20.000Z",
  report_in: 18.9,
};

export const execute = {
  canvas_path: "courses/algebra.canvas",
  groups: [
    { group_id: 1, agent_type: "writer", node_ids: ["page-1", "page-2"] },
    { group_id: "figures", agent_type: "painter", node_ids: ["figure-1"] },
  ],
  max_concurrent: 4,
  timeout: 900,
};

export const executed = {
  task_id: SESSION_ID,
  session_id: SESSION_ID,
  status: "pending",
  total_groups: 2,
  total_nodes: 3,
  created_at: "2026-03-02T09:00:00.000Z",
  estimated_completion: null,
  websocket_url: null,
};

export const taskStatus = {
  task_id: SESSION_ID,
  session_id: SESSION_ID,
  status: "partial_failure",
  total_groups: 2,
  total_nodes: 3,
  completed_groups: 2,
  completed_nodes: 2,
  failed_nodes: 1,
  progress_percent: 100,
  created_at: "2026-03-02T09:00:00.000Z",
  started_at: "2026-03-02T09:00:30.000Z",
  completed_at: "2026-03-02T09:01:00.000Z",
  error_message: null,
  groups: [
    {
      group_id: 1,
      status: "completed",
      agent_type: "writer",
      completed_nodes: 2,
      total_nodes: 2,
      results: [{ node_id: "page-1", file_path: "out/page-1.md", file_size: "2 KB" }, { node_id: "page-2" }],
      errors: [],
    },
    {
      group_id: "figures",
      status: "failed",
      agent_type: "painter",
      completed_nodes: 0,
      total_nodes: 1,
      results: [],
      errors: [{ node_id: "figure-1", error_message: "no such colour" }],
    },
  ],
  performance_metrics: {
    total_duration_seconds: 30,
    average_duration_per_node: 12.5,
    parallel_efficiency: 0.31,
    peak_concurrent: 2,
  },
};
