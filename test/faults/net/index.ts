/** What goes wrong between hosts. */
import type { Fault } from "../fault.ts";
import { failoverFaults } from "./failover.ts";
import { networkFaults } from "./network.ts";
import { nginxFaults } from "./nginx.ts";
import { poolerFaults } from "./pooler.ts";

export const netFaults: Fault[] = [...networkFaults, ...nginxFaults, ...poolerFaults, ...failoverFaults];
