/** The demo page in the OpenAPI document. */
import { z } from "zod";
import { IF_NONE_MATCH, NOT_CHANGED, textContent } from "../../../http/assets-description.ts";
import type { RouteDescription } from "../../../http/openapi/part.ts";

export const demoRoutes: RouteDescription[] = [
  {
    ...{ method: "get", path: "/demo/waiting-room", operationId: "readWaitingRoomDemo", access: "anybody" },
    summary: "A page with 25 simulated users, and yourself, in this waiting room",
    description: "They are real calls to the real room, and begin only when a button is pressed.",
    parameters: [IF_NONE_MATCH],
    answers: [
      {
        status: 200,
        description: "The page.",
        content: [textContent("text/html", "<!doctype html>")],
        headers: ["ETag", "Cache-Control", "Content-Security-Policy"],
      },
      NOT_CHANGED,
    ],
    errors: ["not_found"],
  },
  {
    ...{ method: "get", path: "/demo/waiting-room/{file}", operationId: "readWaitingRoomDemoFile", access: "anybody" },
    summary: "What that page is made of",
    parameters: [
      {
        ...{ name: "file", in: "path", description: "The file's name.", example: "demo.js" },
        schema: z.enum(["demo.js", "demo.css"]),
      },
      IF_NONE_MATCH,
    ],
    answers: [
      {
        status: 200,
        description: "The file.",
        content: [textContent("text/javascript", "start()"), textContent("text/css", "body { margin: 0 }")],
        headers: ["ETag", "Cache-Control"],
      },
      NOT_CHANGED,
    ],
    errors: ["not_found"],
  },
];
