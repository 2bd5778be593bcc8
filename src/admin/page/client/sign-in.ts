import { signIn } from "./api.ts";
import { el, field } from "./parts/element.ts";

/** The token goes out once; what stays is a cookie that no script can read. */
export function showSignIn({ entered, problem = "" }: { entered(): Promise<void>; problem?: string }): void {
  document.title = "Sign in · Keybeat";
  const token = el("input", {
    type: "password",
    name: "token",
    autocomplete: "current-password",
    required: true,
    spellcheck: "false",
  });
  const said = el("p", { class: "problem", role: "alert" }, problem);
  const submit = el("button", { class: "main", type: "submit" }, "Sign in");
  const form = el("form", {}, field("Admin token", token), said, submit);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    said.textContent = "";
    submit.disabled = true;
    try {
      await signIn(token.value.trim());
      await entered();
    } catch (error) {
      said.textContent = (error as Error).message;
      token.select();
    } finally {
      submit.disabled = false;
    }
  });
  const mark = el("img", { src: "admin/icon.svg", alt: "" });
  const hint = el("p", { class: "note" }, "It is what ADMIN_TOKEN is set to, or stands in .keybeat/admin-token.");
  const card = el("div", { class: "card stack" }, el("h1", { class: "brand" }, mark, "Keybeat"), form, hint);
  document.body.replaceChildren(el("main", { class: "sign-in" }, card));
  token.focus();
}
