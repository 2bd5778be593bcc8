import type { Area } from "../view.ts";
import { createKeyView } from "./key-view.ts";
import { createKeysView } from "./keys-view.ts";

export const keysArea: Area = {
  link: "Keys",
  href: "#/keys",
  open(hash) {
    if (hash === "#/keys") return createKeysView();
    const id = /^#\/keys\/(\d+)$/.exec(hash)?.[1];
    return id === undefined ? undefined : createKeyView(Number(id));
  },
};
