// Which page is shown, by the part of the address after #, and in which language.

import { make } from "./dom.js";
import { GameView } from "./game.js";
import { chapters, lesson, learnPage, startOf } from "./learn.js";
import { ask, mayChange, takeToken } from "./link.js";
import { runsPage } from "./runs.js";
import { lang, setLanguage, t } from "./words.js";

const main = document.getElementById("main");
const link = document.getElementById("link");
let shown = null, turn = 0;

function linked(there) {
  link.textContent = there ? "" : t("lost");
  link.classList.toggle("lost", !there);
}

/** Show the page of the address. */
async function route() {
  const now = ++turn;
  if (shown && shown.end) shown.end();
  shown = null;
  linked(true);
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
  const [page, ...rest] = path.split("/"), asked = new URLSearchParams(query || "");
  for (const item of document.querySelectorAll("nav a")) {
    const here = item.dataset.route === (page || "learn");
    if (here) item.setAttribute("aria-current", "page"); else item.removeAttribute("aria-current");
  }
  main.replaceChildren(make("p", { class: "plain" }, t("loading")));
  try {
    const made = page === "game" ? await gamePage(asked) : page === "runs" ? await runsPage(rest.map(decodeURIComponent).join("/"))
      : rest.length ? await chapterPage(rest[0]) : await learnPage();
    if (now !== turn) { if (made.end) made.end(); return; }
    shown = made;
    main.replaceChildren(made.element);
    if (made.soon) made.soon();
  } catch (error) {
    if (now === turn) main.replaceChildren(make("p", { class: "plain error", role: "alert" }, error.message), make("p", {}, make("a", { href: "#/learn" }, t("all"))));
  }
  window.scrollTo(0, 0);
}

/** The game of an address: one that is played, a run that is opened again, or a new one. */
async function gamePage(asked) {
  const games = await ask("/api/games"), run = asked.get("run");
  if (asked.get("game")) return new GameView(asked.get("game"), { linked, wish: (asked.get("see") || "heat").split(","), opened: address });
  let name = run ? (games.find((game) => game.run === run && !game.ended) || {}).name : (games.filter((game) => !game.ended).pop() || {}).name;
  if (!name && run) name = (await ask("/api/games", { run })).name;
  if (!name && !mayChange()) throw new Error(t("read.only"));
  if (!name) name = (await ask("/api/games", (await chapters())[0].start)).name;
  return new GameView(name, { linked, wish: (asked.get("see") || "heat").split(","), opened: address });
}

async function chapterPage(id) {
  const all = await chapters(), index = all.findIndex((one) => one.id === id);
  if (index < 0) throw new Error(t("all"));
  const { name } = await ask("/api/games", startOf(all[index]));
  const view = new GameView(name, { linked, wish: all[index].see_on, lesson: lesson(all, index, () => view) });
  return view;
}

/** Let the address say which run is open, so that a link opens it again. */
function address(run) {
  const wanted = `#/game?run=${encodeURIComponent(run)}`;
  if (location.hash.startsWith("#/game") && location.hash !== wanted) history.replaceState(null, "", wanted);
}

function speak() {
  for (const item of document.querySelectorAll("[data-text]")) item.textContent = t(item.dataset.text);
  const button = document.getElementById("language");
  button.textContent = lang() === "zh" ? "English" : "中文";
  button.lang = lang() === "zh" ? "en" : "zh";
  button.setAttribute("aria-label", button.textContent);
}

document.getElementById("language").addEventListener("click", () => { setLanguage(lang() === "zh" ? "en" : "zh"); speak(); route(); });
document.querySelector(".skip").addEventListener("click", (event) => { event.preventDefault(); main.focus(); });
takeToken();
setLanguage(lang());
speak();
window.addEventListener("hashchange", route);
route();
