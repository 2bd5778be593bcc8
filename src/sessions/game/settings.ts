import { type Settings, wholeNumber } from "../../environment.ts";

export interface GameSettings {
  silenceSeconds: number;
  retentionDays: number;
}

const shape = {
  GAME_SILENCE_SECONDS: wholeNumber(1, 2_592_000).default(86_400),
  GAME_RETENTION_DAYS: wholeNumber(1, 36_500).default(30),
};

export const gameSettings: Settings<GameSettings, typeof shape> = {
  shape,
  read: (values) => ({
    silenceSeconds: values.GAME_SILENCE_SECONDS,
    retentionDays: values.GAME_RETENTION_DAYS,
  }),
};
