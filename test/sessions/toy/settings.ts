import { z } from "zod";
import { type Settings, wholeNumber } from "../../../src/environment.ts";
import { findTokenFault } from "../../../src/secrets.ts";

export interface ToySettings {
  boxes: number;
  userTokens: boolean;
  password: string | undefined;
}

const shape = {
  TOY_BOXES: wholeNumber(1, 9).default(3),
  TOY_AUTH: z.enum(["none", "jwt"]).default("none"),
  TOY_PASSWORD: z.string().optional(),
};

export const toySettings: Settings<ToySettings, typeof shape> = {
  shape,
  secrets: { TOY_PASSWORD: findTokenFault },
  read: ({ TOY_BOXES, TOY_AUTH, TOY_PASSWORD }) => ({
    boxes: TOY_BOXES,
    userTokens: TOY_AUTH === "jwt",
    password: TOY_PASSWORD,
  }),
  wantsUserTokens: ({ TOY_AUTH }) => (TOY_AUTH === "jwt" ? { name: "TOY_AUTH", value: TOY_AUTH } : undefined),
};
