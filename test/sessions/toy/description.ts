import { z } from "zod";
import type { AdminPart, Part } from "../../../src/http/openapi/part.ts";

const toysReply = z.object({ owner: z.string(), toys: z.int(), boxes: z.int() });
const addReply = z.object({ added: z.int() });

export const toyPart: Part = {
  tag: { name: "Toys", description: "A kind of session that nobody needs." },
  access: {
    child: { schemes: { childToken: { type: "http", scheme: "bearer", description: "A child's." } }, optional: true },
  },
  schemas: { ToysReply: toysReply },
  routes: [
    {
      method: "get",
      path: "/api/v1/toys/{owner}",
      operationId: "countToys",
      access: "child",
      summary: "How many toys there are",
      parameters: [
        { name: "owner", in: "path", description: "Whose.", schema: z.string(), required: true, example: "mina" },
      ],
      answers: [
        {
          status: 200,
          description: "The toys.",
          content: [{ schema: toysReply, examples: { some: { owner: "mina", toys: 2, boxes: 3 } } }],
        },
      ],
      errors: ["unauthorized"],
    },
  ],
};

export const toyAdminPart: AdminPart = {
  schemas: { AddReply: addReply },
  routes: [
    {
      method: "post",
      path: "/api/admin/toys",
      operationId: "addToy",
      access: "operator",
      summary: "Add a toy",
      answers: [
        {
          status: 200,
          description: "How many were added.",
          content: [{ schema: addReply, examples: { one: { added: 1 } } }],
          headers: ["Cache-Control"],
        },
      ],
    },
  ],
};
