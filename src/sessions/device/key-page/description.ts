/** The page /key in the OpenAPI document. */
import { z } from "zod";
import { describePage, textContent } from "../../../http/assets-description.ts";

export const keyPageParts = describePage({
  path: "/key",
  operationId: "readKeyPage",
  summary: "A page on which the owner of a key sees which device uses it, and signs that device out",
  description: "Where `KEY_PAGE` is not `off`. The key leaves the page in the bodies of its calls alone.",
  files: {
    schema: z.enum(["page.js", "page.css"]),
    example: "page.js",
    content: [textContent("text/javascript", "start()"), textContent("text/css", "body { margin: 0 }")],
  },
});
