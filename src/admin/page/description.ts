/** The operator's page in the OpenAPI document. */
import { z } from "zod";
import { describePage, textContent } from "../../http/assets-description.ts";

export const pageRoutes = describePage({
  path: "/admin",
  operationId: "readAdminPage",
  summary: "The operator's page",
  description: "Nothing of it is secret: what it shows comes from the admin API, after signing in.",
  files: {
    schema: z.string(),
    example: "page.css",
    content: [
      textContent("text/javascript", "start();"),
      textContent("text/css", "body { margin: 0 }"),
      textContent("image/svg+xml", '<svg xmlns="http://www.w3.org/2000/svg"/>'),
    ],
    answers: [{ status: 308, description: "Without a name: the page is at `/admin`.", headers: ["Location"] }],
  },
});
