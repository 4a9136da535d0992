// Every run below the lab's folder: live losses, samples through time, scores, settings.

import { make } from "./dom.js";
import { t } from "./words.js";

export async function runsPage() {
  return { element: make("div", {}, make("h1", {}, t("runs.title")), make("p", { class: "plain" }, t("runs.none"))) };
}
