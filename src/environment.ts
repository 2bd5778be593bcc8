/** How a room brings its settings: its variables of the environment, and what they mean. config.ts reads them all. */
import { z } from "zod";
import type { FindFault } from "./secrets.ts";

export interface Settings<Meaning, Shape extends z.ZodRawShape = z.ZodRawShape> {
  /** By the names of the variables; an empty one counts as unset. */
  shape: Shape;
  /** Those that are secrets: each may stand in a file too, and is checked by this (see secrets.ts). */
  secrets?: Record<string, FindFault>;
  read(values: z.output<z.ZodObject<Shape>>): Meaning;
  /** What does not go together, though each by itself may be so. */
  findConflict?(values: z.output<z.ZodObject<Shape>>): { name: string; reason: string } | undefined;
  /** The setting by which users must have tokens (JWT_SECRET or JWKS_URL); undefined: they need none. */
  wantsUserTokens?(values: z.output<z.ZodObject<Shape>>): { name: string; value: string } | undefined;
}

export const wholeNumber = (min: number, max: number) =>
  z
    .string()
    .regex(/^\d+$/, "must be a whole number")
    .transform(Number)
    .refine((n) => n >= min && n <= max, `must be between ${min} and ${max}`);
