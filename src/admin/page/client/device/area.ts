import type { Area } from "../view.ts";
import { createNowView } from "./now-view.ts";

export const deviceArea: Area = {
  link: "Now",
  href: "#/",
  open: (hash) => (hash === "#/" ? createNowView() : undefined),
};
