// Plays frames that Keras's layers made: no kernel, no other host. frames.json says what they show.
"use strict";

const COLUMNS = 4;
const PLAY_MS = 700; // an epoch's time on screen while they play

/** Returns a new element with attributes and children; text is set as text, never as markup. */
function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** The pictures, each decoded once, so that a moved slider only has to paint. */
class Pictures {
  constructor(folder) {
    this.folder = folder;
    this.decoded = new Map();
  }

  load(file) {
    if (!this.decoded.has(file)) {
      const loading = fetch(this.folder + file).then((answer) => {
        if (!answer.ok) throw new Error(`${file} could not be loaded (${answer.status})`);
        return answer.blob();
      });
      this.decoded.set(file, loading.then((blob) => createImageBitmap(blob)));
    }
    return this.decoded.get(file);
  }
}

class Explorer {
  constructor(root, about, sensitivity) {
    this.about = about;
    this.sensitivity = sensitivity;
    this.pictures = new Pictures(root.dataset.frames);
    this.frames = new Map(
      about.frames.map((each) => [[each.photo, each.control, each.place, each.epoch].join(), each]),
    );
    this.state = { photo: 0, control: about.controls.at(-1).name, place: 0, epoch: 1 };
    this.untouched = false;
    this.seen = new Set();
    this.build(root);
    this.choose(this.state.control, Math.min(5, this.control.stops.length - 1));
  }

  get control() {
    return this.about.controls.find((each) => each.name === this.state.control);
  }

  frame(place = this.state.place, epoch = this.state.epoch) {
    return this.frames.get([this.state.photo, this.state.control, place, epoch].join());
  }

  // What the page shows

  build(root) {
    this.canvas = element("canvas", { role: "img", class: "player-canvas" });
    this.captions = element("div", { class: "player-captions", "aria-hidden": "true" });
    this.hold = this.button("Hold to see the photo itself", () => {});
    this.hold.classList.add("player-hold");
    const press = (shown) => () => this.compare(shown);
    for (const name of ["pointerdown", "keydown"]) this.hold.addEventListener(name, press(true));
    for (const name of ["pointerup", "pointerleave", "pointercancel", "keyup", "blur"]) {
      this.hold.addEventListener(name, press(false));
    }
    this.photo = this.menu(
      "Photo",
      this.about.photos.map((each, number) => [number, `a ${each.label.toLowerCase()}`]),
      (value) => this.show({ photo: Number(value) }),
    );
    this.name = this.menu(
      "Change",
      [...this.about.controls].reverse().map((each) => [each.name, each.title]),
      (value) => this.choose(value),
    );
    this.strength = this.slider("Strength", (place) => this.show({ place }));
    this.epoch = this.slider("Epoch", (value) => this.show({ epoch: value + 1 }));
    this.play = this.button("▶ Play the epochs", () => this.toggle());
    this.ask = element("input", { type: "checkbox" });
    this.ask.addEventListener("change", () => this.paint());
    const ask = element("label", { class: "player-ask" }, this.ask, " Ask lesson 01's model");
    this.verdict = element("p", { class: "player-verdict", "aria-live": "polite" });
    this.words = element("p", { class: "player-words" });
    this.breaks = element("p");
    this.code = element("code");
    this.copy = this.button("Copy the code", () => this.copyCode());
    this.plot = element("div", { class: "player-plot" });
    this.epochs = element("div", { class: "player-epochs" }, this.epoch.row, this.play);
    const grid = element("div", { class: "player-grid" }, this.canvas, this.captions);
    root.replaceChildren(
      element(
        "div",
        { class: "player-columns" },
        element("div", { class: "player-left" }, grid, this.hold, this.verdict),
        element(
          "div",
          { class: "player-right" },
          ...[this.photo.row, this.name.row, this.strength.row, this.epochs, ask],
          ...[this.words, this.breaks, this.plot],
        ),
      ),
      element("div", { class: "player-code" }, this.copy, element("pre", { tabindex: "0" }, this.code)),
      element("p", { class: "player-about" }, this.origin()),
    );
  }

  origin() {
    const { made, versions } = this.about;
    return (
      "These are pictures made by Keras's own layers, " +
      `on ${made} with Keras ${versions.keras} and TensorFlow ${versions.tensorflow}, ` +
      "from synthetic vehicles. In the notebook, the sliders stop anywhere and your own photos work too."
    );
  }

  button(text, action) {
    const made = element("button", { type: "button" }, text);
    made.addEventListener("click", action);
    return made;
  }

  labeled(text, control) {
    const row = element("label", { class: "player-row" }, element("span", {}, text), control);
    return row;
  }

  menu(text, options, action) {
    const control = element("select");
    for (const [value, shown] of options) control.append(element("option", { value }, shown));
    control.addEventListener("change", () => action(control.value));
    return { control, row: this.labeled(text, control) };
  }

  slider(text, action) {
    const control = element("input", { type: "range", min: "0", step: "1" });
    const shown = element("output");
    control.addEventListener("input", () => action(Number(control.value)));
    const row = this.labeled(text, control);
    row.append(shown);
    return { control, row, shown };
  }

  // What a visitor does

  choose(control, place = 0) {
    this.stop();
    this.state.control = control;
    this.name.control.value = control;
    const frames = [...this.frames.values()].filter((each) => each.control === control);
    for (const each of frames) this.pictures.load(each.file).catch(() => {});
    this.strength.control.max = this.control.stops.length - 1;
    this.epoch.control.max = this.control.epochs - 1;
    this.epochs.hidden = this.control.epochs === 1;
    this.breaks.textContent = `It goes wrong ${this.control.breaks}.`;
    this.drawPlot();
    this.show({ place, epoch: 1 });
  }

  show(change) {
    const before = this.state;
    this.state = { ...before, ...change };
    // Verdicts belong to the views that were asked about.
    if (!this.playing) this.ask.checked = false;
    if (before.photo !== this.state.photo || before.place !== this.state.place) this.seen.clear();
    const stop = this.control.stops[this.state.place];
    this.strength.control.value = this.state.place;
    this.strength.control.setAttribute("aria-valuetext", stop.shown);
    this.strength.shown.textContent = stop.shown;
    this.epoch.control.value = this.state.epoch - 1;
    this.epoch.control.setAttribute("aria-valuetext", `epoch ${this.state.epoch}`);
    this.words.textContent = stop.words;
    this.code.textContent = stop.code;
    this.copy.textContent = "Copy the code";
    this.seen.add(this.state.epoch);
    const views = 16 * this.seen.size;
    this.epoch.shown.textContent = `${this.state.epoch} · ${views} views seen`;
    this.canvas.setAttribute("aria-label", `Sixteen views of a photo. ${stop.words}`);
    this.markPlot();
    return this.paint();
  }

  compare(untouched) {
    if (this.untouched === untouched) return;
    this.untouched = untouched;
    this.paint();
  }

  toggle() {
    if (this.playing) return this.stop();
    this.play.textContent = "■ Stop";
    this.playing = setInterval(
      () => this.show({ epoch: (this.state.epoch % this.control.epochs) + 1 }),
      PLAY_MS,
    );
  }

  stop() {
    clearInterval(this.playing);
    this.playing = undefined;
    this.play.textContent = "▶ Play the epochs";
  }

  async copyCode() {
    try {
      await navigator.clipboard.writeText(this.code.textContent);
      this.copy.textContent = "Copied";
    } catch {
      // Without a secure page the clipboard is closed: the code is selected instead.
      getSelection().selectAllChildren(this.code);
      this.copy.textContent = "Selected: copy it with Ctrl+C";
    }
  }

  // Painting

  async paint() {
    const neutral = this.state.control === "lesson" ? ["flip", 0] : [this.state.control, 0];
    const key = [this.state.photo, ...neutral, 1].join();
    const frame = this.untouched ? this.frames.get(key) : this.frame();
    this.wanted = frame;
    let picture;
    try {
      picture = await this.pictures.load(frame.file);
    } catch (error) {
      this.verdict.textContent = `${error.message}. Load the page again.`;
      return;
    }
    if (this.wanted !== frame) return; // A later setting has been asked for meanwhile.
    if (this.canvas.width !== picture.width) {
      this.canvas.width = picture.width;
      this.canvas.height = picture.height;
    }
    this.canvas.getContext("2d").drawImage(picture, 0, 0);
    this.judge(frame);
  }

  judge(frame) {
    const { label, truck } = this.about.photos[this.state.photo];
    const tell = (percent) =>
      percent >= 50 ? ["Truck", percent] : ["Car", 100 - percent];
    if (!this.ask.checked) {
      this.captions.replaceChildren();
      this.verdict.textContent = `The label says ${label}, for every view. Would you say so too?`;
      return;
    }
    const verdicts = frame.truck.map(tell);
    this.captions.replaceChildren(
      ...verdicts.map(([name, percent]) => {
        const agrees = name === label;
        const text = `${agrees ? "✓" : "✗"} ${name} ${percent} %`;
        return element("span", { class: agrees ? "agrees" : "disagrees" }, text);
      }),
    );
    const agree = verdicts.filter(([name]) => name === label).length;
    const [name, percent] = tell(truck);
    this.verdict.textContent =
      `Label ${label}. The model says ${label} for ${agree} of ${COLUMNS * COLUMNS} views; ` +
      `for the photo itself it says ${name}, ${percent} %.`;
  }

  // What published models make of it

  drawPlot() {
    const name = this.state.control === "lesson" ? "contrast" : this.state.control;
    const curves = this.sensitivity[name];
    this.plot.replaceChildren();
    this.range = undefined;
    if (!curves) return;
    const [least, most] = [curves.strengths[0], curves.strengths.at(-1)];
    this.across = (strength) =>
      40 + (300 * (Math.min(Math.max(strength, least), most) - least)) / (most - least);
    const up = (accuracy) => 160 - 300 * (accuracy - 0.5);
    this.range = svg("rect", { y: up(0.9), height: up(0.5) - up(0.9), class: "range" });
    const parts = [this.range];
    for (const tick of [0.5, 0.6, 0.7, 0.8, 0.9]) {
      parts.push(svg("line", { x1: 40, x2: 340, y1: up(tick), y2: up(tick), class: "grid" }));
      parts.push(svg("text", { x: 34, y: up(tick) + 4, "text-anchor": "end" }, tick.toFixed(1)));
    }
    for (const tick of [least, 0, most]) {
      const text = `${tick > 0 ? "+" : ""}${+(tick * curves.scale).toFixed(0)}${curves.unit}`;
      parts.push(svg("text", { x: this.across(tick), y: 176, "text-anchor": "middle" }, text));
    }
    for (const [number, [policy, accuracies]] of Object.entries(curves.policies).entries()) {
      const points = accuracies.map((each, at) => `${this.across(curves.strengths[at])},${up(each)}`);
      parts.push(svg("polyline", { points: points.join(" "), class: `curve curve-${number}` }));
      const key = { x1: 350, x2: 372, y1: 30 + 20 * number, y2: 30 + 20 * number };
      parts.push(svg("line", { ...key, class: `curve curve-${number}` }));
      parts.push(svg("text", { x: 378, y: 34 + 20 * number }, policy));
    }
    const title = `Accuracy of trained models on photos that all have this ${curves.axis}`;
    this.plot.append(
      element(
        "p",
        {},
        `${title}. It is the strength at test time, not the range in training. ` +
          "The band is what the slider's setting can draw.",
      ),
      svg("svg", { viewBox: "0 0 490 184", role: "img", "aria-label": title }, ...parts),
    );
  }

  markPlot() {
    if (!this.range) return;
    const strength = Number(this.control.stops[this.state.place].value) || 0;
    const [from, to] = [this.across(-strength), this.across(strength)];
    this.range.setAttribute("x", from - 1);
    this.range.setAttribute("width", to - from + 2);
  }
}

function svg(name, attributes, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** Fetches what the explorer plays, when it is about to come into view. */
async function start(root) {
  const load = async (name) => {
    const answer = await fetch(root.dataset.frames + name);
    if (!answer.ok) throw new Error(`${name} (${answer.status})`);
    return answer.json();
  };
  try {
    const [about, sensitivity] = await Promise.all([load("frames.json"), load("sensitivity.json")]);
    root.explorer = new Explorer(root, about, sensitivity);
  } catch (error) {
    root.textContent = `The explorer could not be loaded: ${error.message}. Load the page again.`;
  }
}

for (const root of document.querySelectorAll(".explorer-player")) {
  const watch = new IntersectionObserver(
    (entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      watch.disconnect();
      start(root);
    },
    { rootMargin: "200px" },
  );
  watch.observe(root);
}
