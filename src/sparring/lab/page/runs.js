// Every run below the lab's folder: which are training, their losses, samples through time, scores, health and settings.

import { Chart } from "./chart.js";
import { make, short, whole } from "./dom.js";
import { ask, mayChange } from "./link.js";
import { t } from "./words.js";

const LOG4 = Math.log(4);
const OFTEN = 2000;
const path = (what, name, more = "") => `/api/runs/${what}?name=${encodeURIComponent(name)}${more}`;

/** The list, or one run. */
export async function runsPage(name) {
  return name ? new RunView(name) : listPage();
}

async function listPage() {
  const body = make("tbody"), lead = make("p", { class: "lead" }), empty = make("p", { class: "plain", hidden: true }, t("runs.none"));
  let timer = 0;
  const pill = (run) => make("span", { class: `pill ${run.state === "training" ? "live" : run.state === "broken" ? "bad" : ""}` },
    t({ training: "training", finished: "finished", broken: "wrong" }[run.state] || "stopped"));
  async function show() {
    const { root, runs } = await ask("/api/runs");
    lead.textContent = t("runs.lead", { root });
    empty.hidden = runs.length > 0;
    runs.sort((a, b) => b.changed - a.changed);
    body.replaceChildren(...runs.map((run) => make("tr", {},
      make("td", { class: "name" }, run.state === "broken" ? run.name : make("a", { href: `#/runs/${encodeURIComponent(run.name)}` }, run.name),
        run.wrong ? make("p", { class: "saying error" }, run.wrong) : null),
      make("td", {}, pill(run)), make("td", {}, run.recipe), make("td", {}, run.data), make("td", {}, run.steps ? `${whole(run.step)} / ${whole(run.steps)}` : ""),
      make("td", {}, Object.entries(run.losses).filter(([key]) => /adversarial|elbo/.test(key)).slice(0, 2).map(([key, value]) => `${key.split("/")[0][0].toUpperCase()} ${short(value)}`).join("  ")),
      make("td", {}, Object.entries(run.scores).slice(0, 2).map(([key, value]) => `${key} ${short(value)}`).join(", ")),
      make("td", {}, run.changed ? new Date(1000 * run.changed).toLocaleString() : ""))));
    timer = setTimeout(() => show().catch(() => {}), OFTEN);
  }
  await show();
  const heads = ["run", "state", "recipe", "dataset", "progress", "losses", "scores", "changed"].map((name) => make("th", { scope: "col" }, t(name)));
  return {
    element: make("div", {}, make("h1", {}, t("runs.title")), lead, empty, make("div", { class: "scroll section" }, make("table", { class: "table" }, make("thead", {}, make("tr", {}, heads)), body))),
    end() { clearTimeout(timer); },
  };
}

class RunView {
  constructor(name) {
    this.name = name;
    this.charts = make("section", { class: "card" });
    this.side = make("div", { class: "column" });
    this.head = make("div", { class: "bar" });
    this.picture = make("img", { class: "samples", alt: t("samples") });
    this.slider = make("input", { type: "range", min: 0, max: 0, value: 0, "aria-label": t("samples"), oninput: () => this.turn() });
    this.caption = make("p", { class: "saying" });
    this.error = make("p", { class: "error", role: "alert" });
    this.samples = [];
    const left = make("div", { class: "column" }, make("section", { class: "card" }, make("h2", {}, t("samples")), this.picture, this.slider, this.caption), this.charts);
    this.element = make("div", {}, make("p", {}, make("a", { href: "#/runs" }, `← ${t("runs.title")}`)), make("h1", {}, name), this.head, this.error, make("div", { class: "split" }, left, this.side));
  }

  soon() { this.show(); }
  end() { clearTimeout(this.timer); this.over = true; }

  async show() {
    try {
      const [about, chart] = await Promise.all([ask(path("about", this.name)), ask(path("chart", this.name))]);
      if (this.over) return;
      this.error.textContent = "";
      this.tell(about);
      this.draw(chart);
    } catch (error) { this.error.textContent = error.message; }
    if (!this.over) this.timer = setTimeout(() => this.show(), OFTEN);
  }

  tell(about) {
    const atEnd = Number(this.slider.value) >= this.samples.length - 1;
    this.samples = about.samples;
    this.slider.max = Math.max(0, about.samples.length - 1);
    if (atEnd) this.slider.value = this.slider.max;
    this.turn();
    const told = JSON.stringify([about.config, about.scores.length, about.health]);
    if (told === this.told) return;
    this.told = told;
    const { config, health } = about, newest = about.scores[about.scores.length - 1] || {};
    const rows = (values) => make("table", { class: "table" }, make("tbody", {}, Object.entries(values || {}).map(([key, value]) => make("tr", {}, make("td", {}, key), make("td", {}, typeof value === "number" ? String(value) : String(value ?? ""))))));
    const act = (what, text, more = {}) => make("button", { type: "button", disabled: !mayChange(), onclick: () => this.act(what, more) }, t(text));
    this.head.replaceChildren(...[about.playable ? make("a", { href: `#/game?run=${encodeURIComponent(this.name)}` }, t("open.game")) : null, act("resume", "resume"), act("stop", "stop"),
      act("fork", "fork", { steps: 2 * ((config.settings || {}).steps || 1000) })].filter(Boolean));
    this.side.replaceChildren(
      health ? make("section", { class: "card doctor" }, make("h2", {}, t("doctor")), make("p", { class: `verdict ${health.verdict}` }, t(`verdict.${health.verdict}`)),
        health.findings.map((one) => make("div", { class: `finding ${one.severity}` }, make("b", {}, one.name.replaceAll("_", " ")), make("p", {}, one.explanation)))) : "",
      make("section", { class: "card" }, make("h2", {}, t("scores")), rows(newest)),
      make("section", { class: "card" }, make("h2", {}, t("settings")), rows({ recipe: config.recipe, data: config.data, seed: config.seed, ...config.settings }),
        make("details", {}, make("summary", {}, t("settings.more")), rows(config.run_settings))));
  }

  turn() {
    const step = this.samples[Number(this.slider.value)];
    this.picture.hidden = step === undefined;
    this.caption.textContent = step === undefined ? t("no.samples") : t("after", { n: whole(step) });
    const address = step === undefined ? "" : path("sample", this.name, `&step=${String(step).padStart(6, "0")}`);
    if (address && this.picture.getAttribute("src") !== address) this.picture.src = address;
  }

  draw({ lines }) {
    const groups = { losses: [], watched: [] }, tones = ["--real", "--fake", "--best", "--accent", "--warn", "--bad"];
    for (const name of Object.keys(lines)) (/D\(|accuracy|score\(/.test(name) ? groups.watched : groups.losses).push(name);
    const key = JSON.stringify(groups);
    if (key !== this.drawn) {
      this.drawn = key;
      this.made = Object.entries(groups).filter(([, names]) => names.length).map(([group, names]) => {
        const believes = names.some((name) => name.includes("D(x)")) || (group === "losses" && groups.watched.some((name) => name.includes("D(x)")));
        return { names, chart: new Chart(t(group === "losses" ? "losses" : "beliefs"), names.map((name, i) => ({ name, text: name, tone: tones[i % tones.length] })),
          !believes ? [] : group === "losses" ? [{ at: LOG4, text: "log 4" }] : [{ at: 0.5, text: "1/2" }]) };
      });
      this.charts.replaceChildren(make("h2", {}, t("losses")), ...this.made.map(({ chart }) => chart.element));
    }
    for (const { names, chart } of this.made) {
      const rows = new Map();
      for (const name of names) lines[name].steps.forEach((step, i) => {
        if (!rows.has(step)) rows.set(step, { step });
        rows.get(step)[name] = lines[name].mean[i];
      });
      chart.show([...rows.values()].sort((a, b) => a.step - b.step));
    }
  }

  async act(what, more) {
    try {
      const { run } = await ask(`/api/runs/${what}`, { run: this.name, ...more });
      if (run && run !== this.name) location.hash = `#/runs/${encodeURIComponent(run)}`;
    } catch (error) { this.error.textContent = error.message; }
  }
}
