import type { Area } from "../view.ts";
import { createRunView } from "./run-view.ts";
import { createRunsView } from "./runs-view.ts";

export const batchArea: Area = {
  link: "Batches",
  href: "#/batches",
  open(hash) {
    if (hash === "#/batches") return createRunsView();
    const id = /^#\/batches\/([\da-f]{8}-(?:[\da-f]{4}-){3}[\da-f]{12})$/i.exec(hash)?.[1];
    return id === undefined ? undefined : createRunView(id);
  },
};
