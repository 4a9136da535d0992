// The settings of a game: a form from the recipe's own schema. What is changed goes on from the present round, in a run of its own.

import { make } from "./dom.js";
import { ask, mayChange } from "./link.js";
import { t } from "./words.js";

let about = null;
export const aboutLab = () => about ||= ask("/api/about");

export class SettingsForm {
  /** @param {string} game */
  constructor(game) {
    this.game = game;
    this.inputs = new Map();
    this.body = make("div");
    this.help = make("p", { class: "saying help" });            // of a fixed height: what moves under the pointer is not clicked
    this.code = make("div");
    this.element = make("section", { class: "card settings", "aria-labelledby": "settings" }, make("h2", { id: "settings" }, t("settings")), this.body,
      make("details", { ontoggle: (event) => event.target.open && this.showCode() }, make("summary", {}, t("code")), this.code));
  }

  /**
   * @param {any} opened what was told of the run
   * @param {(given: object, anew: boolean, more: object) => void} apply
   */
  async open(opened, apply) {
    this.opened = opened;
    const { fields } = opened, lab = await aboutLab();
    if (this.opened !== opened) return;
    this.inputs.clear();
    const choose = (name, values, value) => this.field({ name, kind: "choice", choices: values, meaning: "" }, value, t(name));
    const top = [choose("recipe", lab.recipes, opened.recipe), choose("dataset", lab.data.includes(opened.data) ? lab.data : [...lab.data, opened.data], opened.data),
      this.field({ name: "seed", kind: "integer", limits: { ge: 0 }, meaning: "" }, opened.seed, t("seed"))];
    const now = (field) => field.name in opened.settings ? opened.settings[field.name] : opened.all_given[field.name] ?? field.default;
    const first = fields.filter((field) => field.first).map((field) => this.field(field, now(field)));
    const rest = fields.filter((field) => !field.first).map((field) => this.field(field, now(field)));
    this.go = make("button", { type: "button", class: "main", id: "apply", disabled: true, onclick: () => this.apply(apply, false) }, t("apply"));
    this.anew = make("button", { type: "button", id: "apply-anew", disabled: true, onclick: () => this.apply(apply, true) }, t("apply.anew"));
    this.undo = make("button", { type: "button", class: "quiet", disabled: true, onclick: () => this.open(opened, apply) }, t("undo"));
    this.body.replaceChildren(make("div", { class: "form" }, top, first), make("details", {}, make("summary", {}, t("settings.more")), make("div", { class: "form" }, rest)),
      this.help, make("div", { class: "bar" }, this.go, this.anew, this.undo), make("p", { class: "saying" }, t("fork.note")));
    if (this.code.children.length) this.showCode();
  }

  field(field, value, label = field.name) {
    const shared = { id: `set-${field.name}`, title: field.meaning, disabled: !mayChange(), onchange: () => this.touched(), oninput: () => this.touched() };
    const input = field.kind === "choice" || field.kind === "switch"
      ? make("select", shared, (field.kind === "switch" ? ["true", "false"] : field.choices).map((one) => make("option", { value: one, selected: String(one) === String(value) }, String(one))))
      : make("input", { ...shared, type: "text", inputmode: field.kind === "text" ? "text" : "decimal", value: value ?? "", autocomplete: "off", spellcheck: "false" });
    input.addEventListener("focus", () => { this.help.textContent = field.meaning ? `${field.name}: ${field.meaning} (${field.bounds})` : ""; });
    const box = make("label", {}, label, input);
    this.inputs.set(field.name, { input, box, then: input.value });
    return box;
  }

  changes() {
    return [...this.inputs].filter(([, { input, then }]) => input.value !== then);
  }

  touched() {
    const changed = this.changes();
    for (const { input, box, then } of this.inputs.values()) box.classList.toggle("changed", input.value !== then);
    const other = changed.some(([name]) => name === "recipe");
    this.go.disabled = !changed.length || other;
    this.anew.disabled = this.undo.disabled = !changed.length;
  }

  apply(apply, anew) {
    const given = {}, more = {};
    for (const [name, { input }] of this.changes()) {
      if (name === "recipe") more.recipe = input.value;
      else if (name === "dataset") more.data = input.value;
      else if (name === "seed") more.seed = Number(input.value);
      else given[name] = input.value;
    }
    apply(given, anew, more);
  }

  async showCode() {
    try {
      const code = await ask(`/api/games/${this.game}/code`);
      this.code.replaceChildren(...[["code.command", code.command], ["code.python", code.python]].map(([title, text]) => {
        const copy = make("button", { type: "button", class: "quiet", onclick: async () => {
          await navigator.clipboard.writeText(text);
          copy.textContent = t("copied");
        } }, t("copy"));
        return make("div", {}, make("p", { class: "code-head" }, t(title), copy), make("pre", { class: "code", tabindex: 0 }, text));
      }));
    } catch (error) { this.code.replaceChildren(make("p", { class: "error" }, error.message)); }
  }
}
