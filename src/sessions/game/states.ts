/** The words of game sessions; the database's constraints are made of them. */
export const GAME_TYPES = ["combat", "player", "auth", "custom"] as const;

export const GAME_STATUSES = ["active", "paused", "completed", "terminated"] as const;

/** Why a session is over: a call ended it, it was silent, its time was up, one side was left, an operator ended it. */
export const GAME_ENDED_REASONS = ["requested", "silence", "max_duration", "decided", "operator"] as const;

export const COMBAT_MODES = ["pvp", "pve", "arena", "tournament"] as const;

/** What a list may be asked for. */
export const COMBAT_MODE_FILTERS = ["pvp", "pve", "arena", "tournament", "custom"] as const;

export const COMBAT_STATUSES = ["initializing", ...GAME_STATUSES] as const;

export const COMBAT_PHASES = ["preparation", "active", "cooldown", "finished"] as const;

export const DIFFICULTIES = ["easy", "normal", "hard", "expert"] as const;

export const PARTICIPANT_STATUSES = ["active", "eliminated", "disconnected"] as const;

export const ACTION_TYPES = ["attack", "defend", "ability", "move", "item_use"] as const;

/** What a match's events are: each has a sequence, and folding them gives its state. */
export const COMBAT_EVENTS = ["action", "joined", "left", "started", "paused", "resumed", "ended"] as const;
