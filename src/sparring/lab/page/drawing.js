// Draw a distribution with the mouse or a finger; what is drawn becomes the data of a new game.

import { colour, make, paper } from "./dom.js";
import { ask, mayChange } from "./link.js";
import { t } from "./words.js";

const MOST = 4000, BETWEEN = 3;         // points, and pixels between two of a stroke

export class Drawing {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {HTMLElement} view around the canvas
   * @param {(data: string) => void} use
   */
  constructor(canvas, view, use) {
    Object.assign(this, { canvas, use, on: false, points: [] });
    this.begin = make("button", { type: "button", class: "quiet", id: "draw", disabled: !mayChange(), onclick: () => this.turn(true) }, t("draw"));
    this.done = make("button", { type: "button", class: "main", id: "draw-use", onclick: () => this.keep() }, t("draw.use"));
    this.stop = make("button", { type: "button", class: "quiet", onclick: () => this.turn(false) }, t("draw.stop"));
    this.note = make("span", {}, t("draw.how"));
    this.tools = make("div", { class: "bar sub", hidden: true }, this.note, this.done, this.stop);
    this.element = make("div", {}, this.begin, this.tools);
    view.addEventListener("pointerdown", (event) => { if (this.on) { view.setPointerCapture(event.pointerId); this.add(event); event.preventDefault(); } });
    view.addEventListener("pointermove", (event) => { if (this.on && event.buttons) this.add(event); });
  }

  turn(on) {
    this.on = on;
    this.points = [];
    this.tools.hidden = !on;
    this.begin.hidden = on;
    this.canvas.parentElement.classList.toggle("drawing", on);
    this.draw();
  }

  add(event) {
    const { left, top, width, height } = this.canvas.getBoundingClientRect();
    const point = [(event.clientX - left) / width * 2 - 1, 1 - (event.clientY - top) / height * 2], last = this.points[this.points.length - 1];
    if (point.some((v) => Math.abs(v) > 0.98) || this.points.length >= MOST) return;
    if (last && Math.hypot(point[0] - last[0], point[1] - last[1]) * width / 2 < BETWEEN) return;
    this.points.push(point);
    this.draw();
  }

  draw() {
    if (!this.on) return;
    const { context, width, height } = paper(this.canvas);
    context.fillStyle = colour("--real");
    for (const [x, y] of this.points) {
      context.beginPath();
      context.arc((x + 1) / 2 * width, (1 - y) / 2 * height, 3.5, 0, 2 * Math.PI);
      context.fill();
    }
  }

  async keep() {
    try {
      const { data } = await ask("/api/drawn", { points: this.points });
      this.turn(false);
      this.use(data);
    } catch (error) { this.note.textContent = error.message; }
  }
}
