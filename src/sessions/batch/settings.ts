import { z } from "zod";
import { type Settings, wholeNumber } from "../../environment.ts";
import { findTokenFault } from "../../secrets.ts";

export interface BatchSettings {
  silenceSeconds: number;
  retentionDays: number;
  /** Whoever changes or lists something must send it; undefined: anybody may. */
  token: string | undefined;
}

const shape = {
  BATCH_SILENCE_SECONDS: wholeNumber(1, 2_592_000).default(1800),
  BATCH_RETENTION_DAYS: wholeNumber(1, 36_500).default(7),
  BATCH_AUTH: z.enum(["none", "token"]).default("none"),
  BATCH_TOKEN: z.string().optional(),
};

export const batchSettings: Settings<BatchSettings, typeof shape> = {
  shape,
  secrets: { BATCH_TOKEN: findTokenFault },
  read: (values) => ({
    silenceSeconds: values.BATCH_SILENCE_SECONDS,
    retentionDays: values.BATCH_RETENTION_DAYS,
    token: values.BATCH_AUTH === "token" ? values.BATCH_TOKEN : undefined,
  }),
  findConflict: ({ BATCH_AUTH, BATCH_TOKEN }) =>
    BATCH_AUTH === "token" && BATCH_TOKEN === undefined
      ? { name: "BATCH_AUTH", reason: "token needs BATCH_TOKEN" }
      : undefined,
  findDoubt: ({ BATCH_AUTH, BATCH_TOKEN }) =>
    BATCH_AUTH === "none" && BATCH_TOKEN !== undefined
      ? {
          message: "BATCH_TOKEN is set and nobody has to send it: anybody may create, list and end batch sessions",
          mend: "set BATCH_AUTH=token, or leave BATCH_TOKEN out",
        }
      : undefined,
};
