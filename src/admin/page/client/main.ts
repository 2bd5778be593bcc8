/** The operator's page: who is on now, the last day, the keys, and what operators did. */
import { whoAmI } from "./api.ts";
import { keepAges } from "./parts/format.ts";
import { showShell } from "./shell.ts";
import { showSignIn } from "./sign-in.ts";

keepAges();
await begin();

async function begin(): Promise<void> {
  try {
    const me = await whoAmI();
    if (me) showShell({ version: me.version, leave: begin });
    else showSignIn({ entered: begin });
  } catch (error) {
    showSignIn({ entered: begin, problem: (error as Error).message });
  }
}
