// Draws one frame of the game on a canvas: points on a plane, densities on a line, curves, or pictures.

import { colour, paper, short } from "./dom.js";

const REAL = [47, 111, 222], FAKE = [217, 98, 27];

/** Bytes 0 (generated) to 255 (real) as a picture: orange, paper, blue. */
function heatmap(bytes, side) {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const middle = dark ? [38, 42, 50] : [250, 249, 246];
  const [real, fake] = dark ? [[72, 118, 206], [206, 116, 58]] : [[150, 186, 246], [248, 190, 150]];
  const canvas = new OffscreenCanvas(side, side), context = canvas.getContext("2d"), image = context.createImageData(side, side);
  for (let i = 0; i < bytes.length; i++) {
    const t = (bytes[i] - 127.5) / 127.5, end = t > 0 ? real : fake, share = Math.abs(t) ** 0.65;     // so that doubt is seen too
    for (let c = 0; c < 3; c++) image.data[4 * i + c] = middle[c] + (end[c] - middle[c]) * share;
    image.data[4 * i + 3] = 255;
  }
  context.putImageData(image, 0, 0);
  return canvas;
}

function scale(view, width, height, pad = 0) {
  const [low, high] = view, span = high - low;
  return { x: (v) => pad + (v - low) / span * (width - 2 * pad), y: (v) => height - pad - (v - low) / span * (height - 2 * pad) };
}

function dots(context, values, to, size, fill, edge) {
  context.fillStyle = fill;
  context.strokeStyle = edge;
  context.lineWidth = 0.8;
  for (let i = 0; i < values.length; i += 2) {
    context.beginPath();
    context.arc(to.x(values[i]), to.y(values[i + 1]), size, 0, 2 * Math.PI);
    context.fill();
    if (edge) context.stroke();
  }
}

function arrow(context, x, y, dx, dy) {
  const length = Math.hypot(dx, dy);
  if (length < 0.5) return;
  const head = Math.min(5, length * 0.5), angle = Math.atan2(dy, dx);
  context.beginPath();
  context.moveTo(x, y);
  context.lineTo(x + dx, y + dy);
  context.lineTo(x + dx - head * Math.cos(angle - 0.5), y + dy - head * Math.sin(angle - 0.5));
  context.moveTo(x + dx, y + dy);
  context.lineTo(x + dx - head * Math.cos(angle + 0.5), y + dy - head * Math.sin(angle + 0.5));
  context.stroke();
}

function plane({ facts, arrays }, canvas, wish) {
  const { context, width, height } = paper(canvas), to = scale(facts.view, width, height);
  const shown = wish.best && arrays.best ? arrays.best : arrays.heat;
  if (shown && (wish.heat || wish.best)) {
    context.imageSmoothingEnabled = true;
    context.drawImage(heatmap(shown.values, shown.shape[0]), 0, 0, width, height);
  }
  if (arrays.warp && wish.warp) grid(context, arrays.warp, to);
  const edge = colour("--card");
  dots(context, arrays.real.values, to, Math.max(2.4, width / 210), colour("--real"), edge);
  dots(context, arrays.fake.values, to, Math.max(2.6, width / 195), colour("--fake"), edge);
  if (arrays.arrows && wish.arrows) {
    context.strokeStyle = colour("--ink");
    context.lineWidth = 1.2;
    const { values } = arrays.arrows, unit = width / (facts.view[1] - facts.view[0]), longest = width / 9;
    for (let i = 0; i < values.length; i += 2) {
      const [dx, dy] = [values[i] * unit * 0.25, -values[i + 1] * unit * 0.25], length = Math.hypot(dx, dy);
      const cut = length > longest ? longest / length : 1;
      arrow(context, to.x(arrays.fake.values[i]), to.y(arrays.fake.values[i + 1]), dx * cut, dy * cut);
    }
  }
}

function grid(context, { values, shape }, to) {
  const n = shape[0];
  context.strokeStyle = colour("--fake");
  context.globalAlpha = 0.75;
  context.lineWidth = 1;
  for (const across of [true, false]) {
    for (let i = 0; i < n; i++) {
      context.beginPath();
      for (let j = 0; j < n; j++) {
        const at = 2 * (across ? i * n + j : j * n + i);
        context.lineTo(to.x(values[at]), to.y(values[at + 1]));
      }
      context.stroke();
    }
  }
  context.globalAlpha = 1;
}

function curve(context, xs, ys, x, y) {
  context.beginPath();
  for (let i = 0; i < xs.length; i++) context.lineTo(x(xs[i]), y(ys[i]));
  context.stroke();
}

function line({ facts, arrays }, canvas, wish) {
  const { context, width, height } = paper(canvas), pad = 26, split = height * 0.6;
  const x = (v) => pad + (v - facts.view[0]) / (facts.view[1] - facts.view[0]) * (width - 2 * pad);
  const xs = arrays.x.values, top = Math.max(...arrays.p.values, ...arrays.q.values) * 1.1 || 1;
  const density = (v) => split - pad * 0.3 - v / top * (split - 2 * pad);
  for (const [name, tone] of [["p", "--real"], ["q", "--fake"]]) {
    context.strokeStyle = context.fillStyle = colour(tone);
    context.lineWidth = 2;
    curve(context, xs, arrays[name].values, x, density);
    context.globalAlpha = 0.13;
    context.lineTo(x(xs[xs.length - 1]), density(0));
    context.lineTo(x(xs[0]), density(0));
    context.fill();
    context.globalAlpha = 1;
  }
  const d = arrays.d ? arrays.d.values : null;
  const [low, high] = !d || !facts.critic ? [0, 1] : [Math.min(...d), Math.max(...d)];
  const belief = (v) => height - pad - (v - low) / (high - low || 1) * (height - split - 1.6 * pad);
  context.font = "11px " + colour("--sans");
  context.fillStyle = colour("--soft");
  context.strokeStyle = colour("--line");
  context.lineWidth = 1;
  for (const v of facts.critic ? [low, high] : [0, 0.5, 1]) {
    curve(context, [facts.view[0], facts.view[1]], [v, v], x, belief);
    context.fillText(facts.critic ? short(v) : String(v), 4, belief(v) + 4);
  }
  if (wish.best && arrays.best) {
    context.strokeStyle = colour("--best");
    context.lineWidth = 2;
    context.setLineDash([6, 4]);
    const there = xs.map((_, i) => arrays.p.values[i] + arrays.q.values[i] > top / 200);     // elsewhere it is chance
    context.beginPath();
    arrays.best.values.forEach((v, i) => there[i] && (there[i - 1] ? context.lineTo(x(xs[i]), belief(v / 255)) : context.moveTo(x(xs[i]), belief(v / 255))));
    context.stroke();
    context.setLineDash([]);
  }
  if (d && wish.heat) {
    context.strokeStyle = colour("--ink");
    context.lineWidth = 2;
    curve(context, xs, d, x, belief);
  }
  for (const [name, tone, y] of [["real", "--real", split + 4], ["fake", "--fake", split + 13]]) {
    context.strokeStyle = colour(tone);
    context.lineWidth = 1;
    context.globalAlpha = 0.5;
    for (const v of arrays[name].values) { context.beginPath(); context.moveTo(x(v), y - 4); context.lineTo(x(v), y + 4); context.stroke(); }
    context.globalAlpha = 1;
  }
  if (arrays.arrows && wish.arrows) {
    context.strokeStyle = colour("--ink");
    const unit = (width - 2 * pad) / (facts.view[1] - facts.view[0]);
    arrays.arrows.values.forEach((v, i) => {
      const shift = Math.max(-50, Math.min(50, v * unit * 0.25));
      arrow(context, x(arrays.fake.values[i]), split + 18 + (i % 6) * 4, shift, 0);
    });
  }
}

function curves({ arrays }, canvas) {
  const { context, width, height } = paper(canvas), pad = 22, xs = arrays.x.values, n = xs.length;
  const low = Math.min(...arrays.real.values) - 0.3, high = Math.max(...arrays.real.values) + 0.3;
  const x = (v) => pad + (v - xs[0]) / (xs[n - 1] - xs[0]) * (width - 2 * pad);
  const y = (v) => height - pad - (v - low) / (high - low) * (height - 2 * pad);
  for (const [name, tone, strong] of [["real", "--real", 0.35], ["fake", "--fake", 0.85]]) {
    context.strokeStyle = colour(tone);
    context.lineWidth = 1.5;
    context.globalAlpha = strong;
    for (let i = 0; i < arrays[name].shape[0]; i++) curve(context, xs, arrays[name].values.subarray(i * n, (i + 1) * n), x, y);
    context.globalAlpha = 1;
  }
}

function pictures({ arrays }, canvas) {
  const { context, width, height } = paper(canvas), gap = 3, head = 20, each = 9;
  const [count, channels, rows, columns] = arrays.fake.shape, lines = Math.ceil(count / each);
  const size = Math.min(width / each, (height - 2 * head) / (2 * lines)), half = head + lines * size;
  const picture = new OffscreenCanvas(columns, rows), small = picture.getContext("2d"), image = small.createImageData(columns, rows);
  context.imageSmoothingEnabled = false;
  for (const [name, top] of [["fake", head], ["real", half + head]]) {
    const { values } = arrays[name], says = arrays[`on_${name}`];
    for (let i = 0; i < Math.min(count, arrays[name].shape[0]); i++) {
      for (let p = 0; p < rows * columns; p++) {
        for (let c = 0; c < 3; c++) image.data[4 * p + c] = values[(i * channels + (channels > 1 ? c : 0)) * rows * columns + p];
        image.data[4 * p + 3] = 255;
      }
      small.putImageData(image, 0, 0);
      const [x, y] = [(i % each) * size, top + Math.floor(i / each) * size];
      context.drawImage(picture, x, y, size - gap, size - gap);
      if (says) {
        const share = Math.max(0, Math.min(1, says.values[i]));
        context.fillStyle = `rgb(${REAL.map((v, c) => Math.round(FAKE[c] + (v - FAKE[c]) * share))})`;
        context.fillRect(x, y + size - gap - 4, (size - gap) * Math.max(0.06, share), 4);
      }
    }
  }
  context.font = "600 12px " + colour("--sans");
  context.fillStyle = colour("--fake");
  context.fillText("G(z)", 4, 14);
  context.fillStyle = colour("--real");
  context.fillText("x", 4, half + 14);
}

/**
 * @param {{facts: any, arrays: any}} frame
 * @param {HTMLCanvasElement} canvas
 * @param {Record<string, boolean>} wish
 */
export function drawScene(frame, canvas, wish) {
  ({ plane, line, curves, pictures })[frame.facts.kind](frame, canvas, wish);
}
