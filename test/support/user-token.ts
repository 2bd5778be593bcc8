/** A user's token as a backend signs it for QUEUE_AUTH=jwt with a shared secret. It holds for a minute. */
import { SignJWT } from "jose";

export const signUserToken = (userId: string, secret: string): Promise<string> =>
  new SignJWT({})
    .setSubject(userId)
    .setExpirationTime("1 minute")
    .setProtectedHeader({ alg: "HS256" })
    .sign(new TextEncoder().encode(secret));
