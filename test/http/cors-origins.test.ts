/** The values of CORS_ORIGINS. */
import { expect, it } from "vitest";
import { readConfig } from "../../src/config.ts";

it("takes origins as browsers send them, and refuses what would never match", () => {
  expect(readConfig({}).corsOrigins).toEqual([]);
  expect(readConfig({ CORS_ORIGINS: "" }).corsOrigins).toEqual([]);
  expect(readConfig({ CORS_ORIGINS: "*" }).corsOrigins).toEqual(["*"]);
  const list = "https://app.example, http://localhost:5173";
  expect(readConfig({ CORS_ORIGINS: list }).corsOrigins).toEqual(["https://app.example", "http://localhost:5173"]);
  for (const wrong of [
    "app.example",
    "https://app.example/",
    "https://App.example",
    "ftp://app.example",
    "null",
    ",",
  ]) {
    expect(() => readConfig({ CORS_ORIGINS: wrong })).toThrow("CORS_ORIGINS");
  }
});
