// A chart of logged numbers over rounds, with lines for what is normal, and the values under the pointer.

import { colour, make, paper, short, whole } from "./dom.js";

export class Chart {
  /**
   * @param {string} label for screen readers
   * @param {Array<{name: string, text: string, tone: string}>} series
   * @param {Array<{at: number, text: string}>} lines
   * @param {[number, number]|null} range
   */
  constructor(label, series, lines = [], range = null) {
    Object.assign(this, { series, lines, range, rows: [], at: null });
    this.canvas = make("canvas", { class: "chart", role: "img", "aria-label": label });
    this.values = series.map(() => make("b"));
    this.legend = make("p", { class: "legend" }, series.map((one, i) => {
      const key = make("i");
      key.style.background = `var(${one.tone})`;
      return make("span", {}, key, one.text, " ", this.values[i]);
    }));
    this.element = make("div", {}, this.legend, this.canvas);
    this.canvas.addEventListener("pointermove", (event) => { this.at = event.offsetX; this.draw(); });
    this.canvas.addEventListener("pointerleave", () => { this.at = null; this.draw(); });
  }

  show(rows) { this.rows = rows; this.draw(); }

  draw() {
    const { context, width, height } = paper(this.canvas), left = 44, right = 10, top = 8, bottom = 20, { rows } = this;
    if (width < 20) return;
    const first = rows.length ? rows[0].step : 0, last = rows.length ? rows[rows.length - 1].step : 1;
    const [low, high] = this.range || this.limits();
    const x = (step) => left + (step - first) / Math.max(1, last - first) * (width - left - right);
    const y = (value) => top + (high - Math.max(low, Math.min(high, value))) / (high - low) * (height - top - bottom);
    context.font = "11px " + colour("--sans");
    context.strokeStyle = colour("--line");
    context.fillStyle = colour("--soft");
    for (const value of [low, (low + high) / 2, high]) {
      context.beginPath(); context.moveTo(left, y(value)); context.lineTo(width - right, y(value)); context.stroke();
      context.textAlign = "right";
      context.fillText(short(value), left - 6, y(value) + 4);
    }
    context.textAlign = "left";
    context.fillText(whole(first), left, height - 5);
    context.textAlign = "right";
    context.fillText(whole(last), width - right, height - 5);
    for (const { at, text } of this.lines) {
      if (at < low || at > high) continue;
      context.setLineDash([5, 4]);
      context.strokeStyle = colour("--best");
      context.fillStyle = colour("--best");
      context.beginPath(); context.moveTo(left, y(at)); context.lineTo(width - right, y(at)); context.stroke();
      context.setLineDash([]);
      context.fillText(text, width - right - 2, y(at) - 4);
    }
    for (const { name, tone } of this.series) this.curve(context, name, tone, x, y, Math.max(1, Math.floor(width - left - right)));
    this.point(context, x, first, last, left, width - right, height - bottom);
  }

  limits() {
    let low = Infinity, high = -Infinity;
    for (const row of this.rows) for (const { name } of this.series) {
      const value = row[name];
      if (Number.isFinite(value)) { low = Math.min(low, value); high = Math.max(high, value); }
    }
    for (const { at } of this.lines) { low = Math.min(low, at); high = Math.max(high, at); }
    if (!(low < high)) return [Number.isFinite(low) ? low - 1 : 0, Number.isFinite(high) ? high + 1 : 1];
    const room = (high - low) * 0.06;
    return [low - room, high + room];
  }

  /** The lowest and the highest value of each column of pixels. */
  curve(context, name, tone, x, y, pixels) {
    context.strokeStyle = colour(tone);
    context.lineWidth = 1.4;
    context.beginPath();
    const every = Math.max(1, Math.floor(this.rows.length / pixels / 2));
    for (let i = 0; i < this.rows.length; i += every) {
      let low = Infinity, high = -Infinity;
      for (let j = i; j < Math.min(i + every, this.rows.length); j++) {
        const value = this.rows[j][name];
        if (Number.isFinite(value)) { low = Math.min(low, value); high = Math.max(high, value); }
      }
      if (low === Infinity) continue;
      context.lineTo(x(this.rows[i].step), y(low));
      if (high !== low) context.lineTo(x(this.rows[i].step), y(high));
    }
    context.stroke();
    context.lineWidth = 1;
  }

  point(context, x, first, last, left, right, bottom) {
    let row = this.rows[this.rows.length - 1];
    if (this.at !== null && this.rows.length) {
      const step = first + (this.at - left) / (right - left) * (last - first);
      row = this.rows.reduce((best, one) => Math.abs(one.step - step) < Math.abs(best.step - step) ? one : best, row);
      context.strokeStyle = colour("--soft");
      context.beginPath(); context.moveTo(x(row.step), 4); context.lineTo(x(row.step), bottom); context.stroke();
      context.textAlign = "center";
      context.fillStyle = colour("--ink");
      context.fillText(whole(row.step), Math.max(left + 20, Math.min(right - 20, x(row.step))), bottom + 15);
    }
    this.series.forEach(({ name }, i) => { this.values[i].textContent = row ? short(row[name]) : ""; });
  }
}
