// What published models make of changed photos, drawn as SVG; the explorer shows it.
"use strict";

/** Returns a new element with attributes and children; text is set as text, never as markup. */
function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** Returns a new element of a picture. */
function svg(name, attributes, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** Accuracies by the strength of a change that every test photo has. */
class Plot {
  constructor(curves) {
    this.strengths = curves.strengths;
    const up = (accuracy) => 180 - 390 * (accuracy - 0.5);
    const write = (x, y, anchor, text) => svg("text", { x, y, "text-anchor": anchor }, text);
    this.range = svg("rect", { y: up(0.9), height: up(0.5) - up(0.9), class: "range" });
    const drawn = [this.range, write(0, 12, "start", "correct answers, %")];
    for (const tick of [0.5, 0.6, 0.7, 0.8, 0.9]) {
      drawn.push(svg("line", { x1: 34, x2: 324, y1: up(tick), y2: up(tick), class: "grid" }));
      drawn.push(write(28, up(tick) + 4, "end", (100 * tick).toFixed(0)));
    }
    for (const tick of [this.strengths[0], 0, this.strengths.at(-1)]) {
      const number = (tick * curves.scale).toFixed(0).replace("-", "−");
      const text = `${tick > 0 ? "+" : ""}${number}${curves.unit}`;
      drawn.push(write(this.across(tick), 198, "middle", text));
    }
    drawn.push(write(179, 217, "middle", curves.axis));
    for (const [number, [name, accuracies]] of Object.entries(curves.curves).entries()) {
      const look = { class: `curve curve-${number}` };
      const points = accuracies.map((each, at) => `${this.across(this.strengths[at])},${up(each)}`);
      const y = 242 + 20 * number;
      drawn.push(svg("polyline", { points: points.join(" "), ...look }));
      drawn.push(svg("line", { x1: 34, x2: 62, y1: y, y2: y, ...look }));
      drawn.push(write(70, y + 4, "start", name));
    }
    const title = "How trained models answer when every test photo has the same change";
    const frame = { viewBox: "0 0 340 270", role: "img", "aria-label": `${title}. ${curves.says}` };
    this.allowed = element("span", {}, " Gray area: what your slider allows.");
    this.parts = [
      element("p", {}, element("strong", {}, `${title}. `), curves.says),
      svg("svg", frame, ...drawn),
      element(
        "p",
        { class: "player-about" },
        `Each curve is the mean of ${curves.models} models, trained and tested on real photos. ` +
          "Runs in which the model did not learn (dead ReLUs) are left out.",
        this.allowed,
      ),
    ];
  }

  /** Returns where a strength is on the axis, or the nearest end. */
  across(strength) {
    const [least, most] = [this.strengths[0], this.strengths.at(-1)];
    return 34 + (290 * (Math.min(Math.max(strength, least), most) - least)) / (most - least);
  }

  /** Shows what random draws up to a strength can reach. */
  mark(strength) {
    const [from, to] = [this.across(-strength), this.across(strength)];
    this.range.setAttribute("x", from);
    this.range.setAttribute("width", to - from);
    this.allowed.hidden = strength === 0;
  }
}
