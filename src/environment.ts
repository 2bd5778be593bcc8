/** How a module declares its settings: environment variables, and what they mean. config.ts reads them all. */
import { z } from "zod";
import type { FindFault } from "./secrets.ts";

export interface Settings<Meaning, Shape extends z.ZodRawShape = z.ZodRawShape> {
  /** By variable name; an empty value counts as unset. */
  shape: Shape;
  /** Secrets: each may also come from a file, and is checked by this (see secrets.ts). */
  secrets?: Record<string, FindFault>;
  read(values: z.output<z.ZodObject<Shape>>): Meaning;
  /** Values that are valid by themselves but not together. */
  findConflict?(values: z.output<z.ZodObject<Shape>>): { name: string; reason: string } | undefined;
  /** Values that make sense and yet are hardly meant so. The doctor warns of them. */
  findDoubt?(values: z.output<z.ZodObject<Shape>>): { message: string; mend: string } | undefined;
  /** The setting that requires user tokens (JWT_SECRET or JWKS_URL); undefined: they are taken where they can be checked. */
  wantsUserTokens?(values: z.output<z.ZodObject<Shape>>): { name: string; value: string } | undefined;
}

export const wholeNumber = (min: number, max: number) =>
  z
    .string()
    .regex(/^\d+$/, "must be a whole number")
    .transform(Number)
    .refine((n) => n >= min && n <= max, `must be between ${min} and ${max}`);
