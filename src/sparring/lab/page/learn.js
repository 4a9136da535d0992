// The articles' path: eight chapters, and the failures that can be watched.

import { make } from "./dom.js";
import { ask, mayChange } from "./link.js";
import { said, t } from "./words.js";

let read = null;
export const chapters = async () => (read ||= fetch("/page/chapters.json").then((answer) => answer.json()));
export const startOf = (chapter) => chapter.start;

/** The page with all chapters and the gallery of failures. */
export async function learnPage() {
  const [all, exhibits] = await Promise.all([chapters(), ask("/api/gallery")]);
  const cards = all.map((chapter, i) => make("a", { class: "card chapter", href: `#/learn/${chapter.id}` },
    make("b", {}, t("chapter", { n: i + 1 })), make("h2", {}, said(chapter.title)), make("p", {}, said(chapter.question))));
  const failures = exhibits.map((one) => make("button", { type: "button", class: "card chapter", disabled: !mayChange(), onclick: async () => {
    const { name } = await ask("/api/games", one.start);
    location.hash = `#/game?game=${name}&see=heat,arrows`;
  } }, make("h3", {}, one.title), make("p", {}, one.text)));
  return { element: make("div", {}, make("h1", {}, t("learn.title")), make("p", { class: "lead" }, t("learn.lead")),
    mayChange() ? null : make("p", { class: "lead error" }, t("read.only")), make("div", { class: "chapters" }, cards),
    make("h2", { class: "section" }, t("gallery")), make("p", { class: "lead" }, t("gallery.lead")), make("div", { class: "chapters" }, failures)) };
}

/**
 * The text of a chapter above its game.
 * @param {any[]} all
 * @param {number} index
 * @param {() => any} view the game, once it is there
 */
export function lesson(all, index, view) {
  const chapter = all[index];
  const step = (name, text) => make("div", { class: "step" }, make("b", {}, t(name)), make("p", {}, said(text)));
  const buttons = (chapter.buttons || []).map((one, i) => make("button", { type: "button", id: `try-${i}`, disabled: !mayChange(),
    onclick: () => view().change(one.given || {}, Boolean(one.anew), one.more || {}) }, said(one.text)));
  const move = (to, name) => all[to] ? make("a", { href: `#/learn/${all[to].id}` }, t(name)) : null;
  return make("section", { class: "card lesson", "aria-labelledby": "lesson" },
    make("div", { class: "head" }, make("h1", { id: "lesson" }, `${index + 1}. ${said(chapter.title)}`),
      make("div", { class: "bar" }, make("a", { href: "#/learn" }, t("all")), move(index - 1, "previous"), move(index + 1, "next"))),
    chapter.formula ? make("p", { class: "formula" }, chapter.formula) : null, step("question", chapter.question), step("do", chapter.do),
    buttons.length ? make("div", { class: "bar" }, buttons) : null, step("see", chapter.see), step("why", chapter.why));
}
