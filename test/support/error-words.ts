/** What an error says, in whichever shape it is. */
// biome-ignore lint/suspicious/noExplicitAny: a reply's body is whatever the server says
type Body = any;

/** The stable word; of games it is beside the status, which they call the code. */
export const codeOf = (body: Body): string | undefined =>
  typeof body?.code === "number" ? body.details?.code : body?.code;

export const sentenceOf = (body: Body): string | undefined => body?.error ?? body?.message;
