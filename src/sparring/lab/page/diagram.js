// The two networks: what flows forward, what flows back, and who moves now.

import { draw, short } from "./dom.js";
import { t } from "./words.js";

const path = (d, kind, head) => draw("path", { d, class: kind, "marker-end": head ? "url(#head)" : null });

export class Diagram {
  constructor() {
    const at = (x, y, kind = null) => draw("text", { x, y, "text-anchor": "middle", class: kind });
    this.z = at(22, 72);
    this.z.textContent = "z";
    this.boxes = {
      generator: draw("rect", { x: 62, y: 38, width: 118, height: 60, rx: 12, class: "box g" }),
      discriminator: draw("rect", { x: 330, y: 66, width: 132, height: 72, rx: 12, class: "box d" }),
    };
    this.flows = {
      latent: path("M34 68 H58", "flow", true), fake: path("M180 68 C 240 68, 270 88, 325 89", "flow", true),
      real: path("M180 152 C 240 152, 270 118, 325 117", "flow", true), verdict: path("M462 102 H492", "flow", true),
    };
    this.back = {
      discriminator: path("M522 114 C 516 166, 420 176, 398 144", "back d", true),
      generator: path("M520 88 C 490 26, 400 34, 340 58 C 280 6, 190 2, 130 33", "back g", true),
    };
    this.values = { fake: at(262, 62, "value"), real: at(262, 166, "value"), loss: at(526, 106, "value"), name: at(526, 122, "note") };
    this.sizes = { generator: at(121, 86, "note"), discriminator: at(396, 122, "note") };
    this.names = { g: at(121, 66), d: at(396, 100), data: at(121, 157) };
    const head = draw("marker", { id: "head", viewBox: "0 0 8 8", refX: 6, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto-start-reverse" },
      draw("path", { d: "M0 0 L8 4 L0 8 Z", class: "head" }));
    this.title = draw("title");
    this.element = draw("svg", { viewBox: "0 0 560 184", class: "diagram", role: "img" }, this.title, draw("defs", {}, head),
      Object.values(this.flows), Object.values(this.back), Object.values(this.boxes),
      draw("rect", { x: 62, y: 134, width: 118, height: 36, rx: 12, class: "box" }), this.z, Object.values(this.names),
      Object.values(this.sizes), Object.values(this.values));
    this.name();
  }

  name() {
    this.names.g.textContent = t("generator");
    this.names.d.textContent = t("discriminator");
    this.names.data.textContent = t("data");
  }

  /** @param {any} opened what was told of the run */
  open(opened) {
    for (const [name, text] of Object.entries(this.sizes)) {
      const count = (opened.parameters || {})[name];
      text.textContent = count === undefined ? "" : t("weights", { n: count.toLocaleString("en-US") });
    }
    this.element.style.display = opened.turns && opened.turns.discriminator ? "" : "none";
  }

  /**
   * @param {any} state with the last move
   * @param {any} row the newest logged numbers
   * @param {boolean} believes whether D gives probabilities
   */
  show(state, row, believes) {
    const mover = state.move ? state.move.player : null, fast = state.playing && !state.slow && !state.rate;
    for (const [name, box] of Object.entries(this.boxes)) {
      box.classList.toggle("on", fast || mover === name);
      this.back[name].classList.toggle("on", fast || mover === name);
    }
    this.flows.real.classList.toggle("on", fast || mover === "discriminator");
    for (const name of ["latent", "fake", "verdict"]) this.flows[name].classList.toggle("on", Boolean(mover));
    const of = (name) => row ? row[`discriminator/${name}`] : undefined;
    this.values.fake.textContent = row ? `${believes ? "D(G(z))" : "f(G(z))"} = ${short(of(believes ? "D(G(z))" : "score(G(z))"))}` : "G(z)";
    this.values.real.textContent = row ? `${believes ? "D(x)" : "f(x)"} = ${short(of(believes ? "D(x)" : "score(x)"))}` : "x";
    const loss = state.move ? Object.values(state.move.terms)[0] : undefined;
    this.values.loss.textContent = short(loss);
    this.values.name.textContent = loss === undefined ? "" : mover === "discriminator" ? t("loss.d") : t("loss.g");
    this.title.textContent = this.saying(state);
  }

  /** What just happened, in a sentence. */
  saying(state) {
    if (!state.move) return t("saying.start");
    if (state.playing && !state.slow && !state.rate) return t("saying.fast");
    const { player, repeat, times } = state.move;
    const which = times > 1 ? ` (${repeat}/${times})` : "";
    return t(player === "discriminator" ? "saying.d" : player === "generator" ? "saying.g" : "saying.other", { which });
  }
}
