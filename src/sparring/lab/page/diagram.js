// The two networks: what flows forward, what flows back, and who moves now.

import { draw, short } from "./dom.js";
import { t } from "./words.js";

const path = (d, kind, head) => draw("path", { d, class: kind, "marker-end": head ? "url(#head)" : null });

export class Diagram {
  constructor() {
    this.z = draw("text", { x: 28, y: 71, "text-anchor": "middle" }, "z");
    this.boxes = {
      generator: draw("rect", { x: 72, y: 38, width: 96, height: 58, rx: 12, class: "box g" }),
      discriminator: draw("rect", { x: 318, y: 66, width: 96, height: 72, rx: 12, class: "box d" }),
    };
    this.flows = {
      latent: path("M44 66 H68", "flow", true), fake: path("M168 67 C 230 67, 250 84, 314 88", "flow", true),
      real: path("M168 150 C 230 150, 250 122, 314 117", "flow", true), verdict: path("M414 102 H452", "flow", true),
    };
    this.back = {
      discriminator: path("M462 128 C 440 168, 380 172, 366 142", "back d", true),
      generator: path("M458 82 C 430 30, 330 30, 300 60 C 250 22, 210 10, 132 34", "back g", true),
    };
    this.values = { fake: draw("text", { x: 240, y: 62, "text-anchor": "middle", class: "value" }),
                    real: draw("text", { x: 240, y: 160, "text-anchor": "middle", class: "value" }),
                    loss: draw("text", { x: 486, y: 106, "text-anchor": "middle", class: "value" }) };
    this.sizes = { generator: draw("text", { x: 120, y: 84, "text-anchor": "middle", class: "note" }),
                   discriminator: draw("text", { x: 366, y: 122, "text-anchor": "middle", class: "note" }) };
    this.names = { g: draw("text", { x: 120, y: 64, "text-anchor": "middle" }), d: draw("text", { x: 366, y: 98, "text-anchor": "middle" }),
                   data: draw("text", { x: 120, y: 154, "text-anchor": "middle" }) };
    const head = draw("marker", { id: "head", viewBox: "0 0 8 8", refX: 6, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto-start-reverse" },
      draw("path", { d: "M0 0 L8 4 L0 8 Z", class: "head" }));
    this.title = draw("title");
    this.element = draw("svg", { viewBox: "0 0 530 182", class: "diagram", role: "img" }, this.title, draw("defs", {}, head),
      Object.values(this.flows), Object.values(this.back), Object.values(this.boxes),
      draw("rect", { x: 72, y: 132, width: 96, height: 36, rx: 12, class: "box" }), this.z, Object.values(this.names),
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
    this.element.style.opacity = opened.turns && opened.turns.discriminator ? 1 : 0.45;
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
    this.values.loss.textContent = loss === undefined ? "" : `L = ${short(loss)}`;
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
