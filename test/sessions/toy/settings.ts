import { z } from "zod";
import { type Settings, wholeNumber } from "../../../src/environment.ts";

export interface ToySettings {
  boxes: number;
  userTokens: boolean;
}

const shape = {
  TOY_BOXES: wholeNumber(1, 9).default(3),
  TOY_AUTH: z.enum(["none", "jwt"]).default("none"),
};

export const toySettings: Settings<ToySettings, typeof shape> = {
  shape,
  read: ({ TOY_BOXES, TOY_AUTH }) => ({ boxes: TOY_BOXES, userTokens: TOY_AUTH === "jwt" }),
  wantsUserTokens: ({ TOY_AUTH }) => (TOY_AUTH === "jwt" ? { name: "TOY_AUTH", value: TOY_AUTH } : undefined),
};
