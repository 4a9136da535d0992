// The game: what is seen, who moves, the numbers, the doctor, and the settings that can be changed while it is played.

import { Chart } from "./chart.js";
import { Diagram } from "./diagram.js";
import { make, short, whole } from "./dom.js";
import { ask, follow, mayChange, watch } from "./link.js";
import { drawScene } from "./scene.js";
import { Drawing } from "./drawing.js";
import { SettingsForm } from "./settings.js";
import { t } from "./words.js";

const LOG4 = Math.log(4);
const SPEEDS = [1, 2, 5, 10, 30, 100, 0];

export class GameView {
  /**
   * @param {string} name of the game
   * @param {{wish?: string[], linked: (there: boolean) => void, lesson?: HTMLElement, opened?: (run: string) => void}} options
   */
  constructor(name, options) {
    this.name = name;
    this.options = options;
    this.state = { step: 0, steps: 0, playing: false };
    this.opened = null;
    this.rows = [];
    this.frame = null;
    this.wish = { heat: true, best: false, arrows: false, warp: false };
    for (const key of options.wish || []) this.wish[key] = true;
    this.build();
    this.stop = follow(name, (kind, message) => this.hear(kind, message), options.linked);
    this.frames = watch(name, () => Object.keys(this.wish).filter((key) => this.wish[key]), (frame) => this.see(frame));
    this.resized = new ResizeObserver(() => this.redraw());
    this.resized.observe(this.canvas);
    this.keys = (event) => this.key(event);
    document.addEventListener("keydown", this.keys);
    this.scheme = matchMedia("(prefers-color-scheme: dark)");
    this.recolour = () => this.redraw();
    this.scheme.addEventListener("change", this.recolour);
  }

  end() {
    this.stop();
    this.frames.end();
    this.resized.disconnect();
    document.removeEventListener("keydown", this.keys);
    this.scheme.removeEventListener("change", this.recolour);
  }

  // ------------------------------------------------------------------------------------------------- what there is
  build() {
    this.canvas = make("canvas", { role: "img", id: "scene" });
    this.waiting = make("p", { class: "waiting" }, t("starting"));
    this.toggles = make("div", { class: "keys" });
    const scene = make("section", { class: "card stage", "aria-label": t("nav.game") }, make("div", { class: "view" }, this.canvas, this.waiting), this.toggles);
    this.diagram = new Diagram();
    this.saying = make("p", { class: "saying", "aria-live": "off" });
    this.numbers = make("div", { class: "numbers" });
    this.step = make("b", { id: "step" }, "0");
    this.of = make("span");
    this.speed = make("span", { id: "speed" });
    this.run = make("span", { class: "run", id: "run" });
    this.charts = make("section", { class: "card charts" });
    this.health = make("section", { class: "card doctor", "aria-labelledby": "doctor" });
    this.notes = make("ul", { class: "notes", "aria-live": "polite" });
    this.form = new SettingsForm(this.name);
    this.drawing2d = new Drawing(this.canvas, scene.querySelector(".view"), (data) => this.change({}, true, { data }));
    scene.append(this.drawing2d.element);
    const right = make("div", { class: "column" }, this.transport(),
      make("section", { class: "card networks" }, this.diagram.element, this.saying, this.numbers), this.health, this.charts);
    const left = make("div", { class: "column" }, scene, this.form.element);
    this.element = make("div", {}, this.options.lesson, make("div", { class: "game" }, left, right));
    this.told(null);
  }

  transport() {
    const button = (name, kind, press, key) => make("button", { type: "button", class: kind, id: `do-${name}`, onclick: press, disabled: !mayChange() },
      t(name), key ? make("kbd", { "aria-hidden": "true" }, key) : null);
    this.buttons = {
      play: button("play", "main", () => this.toggle()),
      round: button("round", "", () => this.do({ do: "round" }), "r"),
      stepD: button("stepD", "d", () => this.do({ do: "player", player: "discriminator" }), "d"),
      stepG: button("stepG", "g", () => this.do({ do: "player", player: "generator" }), "g"),
      slow: button("slow", "", () => this.do({ do: "play", slow: true }), "s"),
      back: button("back", "quiet", () => this.goBack(), "b"),
      again: button("again", "quiet", () => this.change({}, true)),
    };
    this.by = make("select", { id: "back-by", "aria-label": t("back.by") },
      [1, 10, 100, 1000].map((n) => make("option", { value: n, selected: n === 10 }, `${n} ${t("rounds")}`)));
    this.rate = make("input", { type: "range", id: "rate", min: 0, max: SPEEDS.length - 1, value: SPEEDS.length - 1, step: 1,
      oninput: () => this.paced(), "aria-label": t("speed") });
    this.pace = make("span", {}, t("full"));
    const back = make("span", { class: "bar" }, this.buttons.back, this.by);
    this.by.style.width = "auto";
    return make("section", { class: "card transport", "aria-label": t("play") }, make("p", { class: "rounds" }, this.step, this.of, this.speed, this.run),
      make("div", { class: "bar" }, this.buttons.play, this.buttons.stepD, this.buttons.stepG, this.buttons.round, this.buttons.slow),
      make("div", { class: "sub" }, back, this.buttons.again, make("label", { class: "bar", for: "rate" }, t("speed")), this.rate, this.pace),
      mayChange() ? null : make("p", { class: "sub" }, t("read.only")), this.notes);
  }

  toggle() {
    if (this.state.finished) return this.change({ steps: 2 * this.state.steps }, false, {}, true);
    return this.do(this.state.playing ? { do: "pause" } : this.playing());
  }

  playing() { return { do: "play", rate: SPEEDS[this.rate.value] }; }
  goBack() { return this.do({ do: "back", to: Math.max(0, this.state.step - Number(this.by.value)) }); }

  paced() {
    const rate = SPEEDS[this.rate.value];
    this.pace.textContent = rate ? t("per.second", { n: rate }) : t("full");
    this.rate.setAttribute("aria-valuetext", this.pace.textContent);
    if (this.state.playing) this.do(this.playing());
  }

  key(event) {
    if (event.target.closest("input, select, textarea, [contenteditable]") || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === " " && event.target.closest("button, a, summary")) return;
    const press = { " ": "play", d: "stepD", g: "stepG", r: "round", s: "slow", b: "back" }[event.key];
    if (press && mayChange()) { event.preventDefault(); this.buttons[press].click(); }
  }

  async do(command) {
    try { await ask(`/api/games/${this.name}/do`, command); } catch (error) { this.note({ kind: "error", text: error.message }); }
  }

  /** Go on from here with some settings changed, or start again with them. */
  async change(given, anew = false, more = {}, play = false) {
    const { recipe, data, seed } = this.opened;
    const wanted = { recipe, data, seed, ...more, given: { ...(more.recipe && more.recipe !== recipe ? {} : this.opened.given), ...given }, anew, play };
    try { await ask(`/api/games/${this.name}/change`, wanted); } catch (error) { this.note({ kind: "error", text: error.message }); }
  }

  // ------------------------------------------------------------------------------------------------- what is told
  hear(kind, message) {
    if (kind === "all") {
      this.rows = message.rows;
      if (message.opened.run) this.begin(message.opened);
      this.state = { ...this.state, ...message.state };
      this.told(message.health.verdict ? message.health : null);
      this.notes.replaceChildren();
      message.said.forEach((one) => this.note(one));
      if (message.ended) this.note({ kind: "error", text: "" });
    } else if (kind === "opened") {
      if (message.forked_from === null) this.rows = [];
      this.rows = this.rows.filter((row) => row.step <= message.first);
      this.begin(message);
      this.told(null);
    } else if (kind === "state") {
      this.state = message;
    } else if (kind === "rows") {
      this.rows.push(...message.rows);
      if (this.rows.length > 8000) this.rows = this.rows.filter((row, i) => i % 2 || i > 4000);
    } else if (kind === "rewound") {
      this.rows = this.rows.filter((row) => row.step <= message.step);
    } else if (kind === "say") {
      this.note(message);
    } else if (kind === "health") {
      this.told(message);
    } else if (kind === "ended") {
      this.note({ kind: "error", text: message.text });
    }
    this.soon();
  }

  soon() {
    if (this.drawing) return;
    this.drawing = requestAnimationFrame(() => { this.drawing = 0; this.tell(); });
  }

  begin(opened) {
    const fresh = !this.opened || this.opened.run !== opened.run;
    this.opened = opened;
    this.diagram.open(opened);
    this.form.open(opened, (given, anew, more) => this.change(given, anew, more));
    this.run.textContent = opened.run;
    this.see.kind = null;
    const believes = opened.believes, critic = opened.turns.discriminator !== undefined;
    const losses = new Chart(t("losses"), critic ? [
      { name: "discriminator/adversarial", text: t("loss.d"), tone: "--real" }, { name: "generator/adversarial", text: t("loss.g"), tone: "--fake" }]
      : this.terms(), believes ? [{ at: LOG4, text: "log 4" }] : []);
    const beliefs = !critic ? null : believes ? new Chart(t("beliefs"), [
      { name: "discriminator/D(x)", text: t("of.real"), tone: "--real" }, { name: "discriminator/D(G(z))", text: t("of.fake"), tone: "--fake" }],
      [{ at: 0.5, text: "1/2" }], [0, 1]) : new Chart(t("beliefs"), [
      { name: "discriminator/score(x)", text: t("of.real"), tone: "--real" }, { name: "discriminator/score(G(z))", text: t("of.fake"), tone: "--fake" }]);
    this.shown = [losses, beliefs].filter(Boolean);
    this.charts.replaceChildren(make("h2", {}, t("losses")), losses.element, ...(beliefs ? [make("h2", {}, t("beliefs")), beliefs.element] : []));
    this.toggled();
    if (fresh && this.options.opened) this.options.opened(opened.run);
  }

  /** The terms of a game without a discriminator. */
  terms() {
    const tones = ["--real", "--fake", "--best"];
    return Object.keys(this.opened.turns).flatMap((turn) => ["reconstruction", "kl"].map((term) => `${turn}/${term}`))
      .map((name, i) => ({ name, text: name, tone: tones[i % 3] }));
  }

  toggled() {
    const can = { heat: this.opened.turns.discriminator !== undefined && ["plane", "line"].includes(this.opened.kind),
      best: this.opened.kind === "plane" || this.opened.kind === "line", arrows: this.opened.turns.discriminator !== undefined && ["plane", "line"].includes(this.opened.kind),
      warp: this.opened.kind === "plane" && this.opened.settings.latent === 2 };
    this.toggles.replaceChildren(make("span", {}, make("i", { class: "dot real" }), " ", t("key.real")), make("span", {}, make("i", { class: "dot fake" }), " ", t("key.fake")),
      ...Object.keys(can).filter((key) => can[key]).map((key) => make("label", {}, make("input", { type: "checkbox", id: `see-${key}`, checked: this.wish[key],
        onchange: (event) => { this.wish[key] = event.target.checked; this.frames.again(); } }), t(`see.${key}`))));
  }

  tell() {
    const { state, opened } = this, row = this.rows[this.rows.length - 1];
    this.step.textContent = whole(state.step);
    this.of.textContent = state.steps ? t("round.of", { n: whole(state.steps) }) + (state.inside ? ` · ${t("inside")}` : "") : "";
    this.speed.textContent = state.playing && state.speed ? t("per.second", { n: Math.round(state.speed) }) : "";
    this.buttons.play.firstChild.textContent = t(state.playing ? "pause" : "play");
    const can = mayChange() && opened && !state.finished && !state.broken;
    for (const name of ["round", "stepD", "stepG", "slow"]) this.buttons[name].disabled = !can;
    this.buttons.play.disabled = !(can || (mayChange() && opened && state.finished));
    if (opened && opened.turns.discriminator === undefined) { this.buttons.stepD.disabled = this.buttons.stepG.disabled = true; }
    this.buttons.back.disabled = !(mayChange() && opened) || state.step <= state.first;
    this.buttons.again.disabled = !(mayChange() && opened);
    this.buttons.stepD.classList.toggle("next", state.next === "discriminator" && !state.playing);
    this.buttons.stepG.classList.toggle("next", state.next === "generator" && !state.playing);
    this.buttons.slow.setAttribute("aria-pressed", String(Boolean(state.playing && state.slow)));
    if (!opened) return;
    this.diagram.show(state, row, opened.believes);
    this.saying.textContent = this.diagram.saying(state);
    for (const chart of this.shown) chart.show(this.rows);
  }

  see(frame) {
    this.frame = frame;
    this.waiting.hidden = true;
    this.waiting.style.display = "none";
    if (!this.drawing2d.on) drawScene(frame, this.canvas, this.wish);
    const { facts } = frame;
    this.canvas.setAttribute("aria-label", `${t(`view.${facts.kind}`)} ${facts.of ? `${t("n.modes")}: ${facts.modes}/${facts.of}` : ""}`);
    const rows = [];
    if (facts.of) rows.push([t("n.modes"), `${facts.modes} / ${facts.of}`, ""]);
    if (facts.jsd !== undefined) {
      rows.push([t("n.jsd"), short(facts.jsd), t("n.nats")]);
      if (this.opened && this.opened.believes) rows.push([t("n.best"), short(facts.best_loss), t("n.log4")]);
    }
    const row = this.rows[this.rows.length - 1];
    if (row && row["discriminator/adversarial"] !== undefined) rows.push([t("n.loss"), short(row["discriminator/adversarial"]), this.opened && this.opened.believes ? "log 4 = 1.386" : ""]);
    const told = JSON.stringify(rows);
    if (told !== this.counted) {
      this.counted = told;
      this.numbers.replaceChildren(...rows.map(([name, value, note]) => make("div", { class: "number" }, make("span", {}, name), make("b", {}, value), note ? make("small", {}, note) : null)));
    }
  }

  redraw() {
    if (this.drawing2d.on) this.drawing2d.draw();
    else if (this.frame) drawScene(this.frame, this.canvas, this.wish);
    for (const chart of this.shown || []) chart.draw();
  }

  told(health) {
    const every = this.opened ? this.opened.all_given.check_every : 250;
    this.health.replaceChildren(make("h2", { id: "doctor" }, t("doctor")), ...(health === null ? [make("p", { class: "saying" }, t("doctor.none", { n: every || 250 }))] : [
      make("p", { class: `verdict ${health.verdict}`, id: "verdict" }, t(`verdict.${health.verdict}`), make("small", { class: "saying" }, t("after", { n: whole(health.step) }))),
      ...health.findings.map((finding) => make("div", { class: `finding ${finding.severity}` },
        make("b", {}, finding.name.replaceAll("_", " ")), " ", make("small", {}, t("since", { n: whole(finding.steps[0]) })), make("p", {}, finding.explanation),
        finding.actions.length ? make("div", { class: "bar" }, t("try"), finding.actions.map((action) => make("button", { type: "button", class: "cure", disabled: !mayChange(),
          onclick: () => this.change(settingsOf(action)) }, action))) : null))]));
  }

  note(said) {
    if (!said.text || said.kind === "doctor") return;           // which has a place of its own
    this.notes.prepend(make("li", { class: said.kind }, said.text));
    while (this.notes.children.length > 12) this.notes.lastChild.remove();
  }
}

/** "lr=0.1 penalty=r1" as settings. */
export function settingsOf(action) {
  return Object.fromEntries(action.split(" ").map((word) => word.split("=")));
}
