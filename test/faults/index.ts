/** Every fault, in the order in which they run. */
import { cleanupFaults } from "./cases/cleanup.ts";
import { clockFaults } from "./cases/clock.ts";
import { connectionFaults } from "./cases/connections.ts";
import { databaseClockFaults } from "./cases/database-clock.ts";
import { descriptorFaults } from "./cases/descriptors.ts";
import { lockFaults } from "./cases/locks.ts";
import { logFaults } from "./cases/log.ts";
import { postgresFaults } from "./cases/postgres.ts";
import { serverFaults } from "./cases/servers.ts";
import { soakFaults } from "./cases/soak.ts";
import type { Fault } from "./fault.ts";
import { hostileFaults } from "./hostile/index.ts";
import { netFaults } from "./net/index.ts";

export const FAULTS: Fault[] = [
  ...serverFaults,
  ...postgresFaults,
  ...connectionFaults,
  ...descriptorFaults,
  ...lockFaults,
  ...cleanupFaults,
  ...logFaults,
  ...clockFaults,
  ...databaseClockFaults,
  ...netFaults,
  ...hostileFaults,
  ...soakFaults,
];
