/** The demo page in the OpenAPI document. */
import { z } from "zod";
import { describePage, textContent } from "../../../http/assets-description.ts";

export const demoRoutes = describePage({
  path: "/demo/waiting-room",
  operationId: "readWaitingRoomDemo",
  summary: "A page with 25 simulated users, and yourself, in this waiting room",
  description: "They are real calls to the real room, and begin only when a button is pressed.",
  files: {
    schema: z.enum(["demo.js", "demo.css"]),
    example: "demo.js",
    content: [textContent("text/javascript", "start()"), textContent("text/css", "body { margin: 0 }")],
  },
});
