// Plays frames that Keras's layers made: no kernel, no other host. frames.json says what they show.
"use strict";

const COLUMNS = 4;
const PLAY_MS = 700; // an epoch's time on screen while they play
// By change: the strength that shows at first, so that the views differ. "lesson" is lesson 02's.
const START = {
  flip: "horizontal",
  rotation: 30,
  zoom: 0.3,
  brightness: 0.5,
  contrast: 0.5,
  lesson: 0.5,
};
const NOTES = { zoom: "Less than 100% is closer, more is farther away." };

/** Returns text with signs of percent as the page's own sentences have them. */
const tight = (text) => text.replaceAll(" %", "%");

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
    // The last photo is the truck, of which the model is less sure.
    this.state = { photo: about.photos.length - 1, control: "lesson", place: 0, epoch: 1 };
    this.places = new Map(); // By change: the strength where the visitor left it.
    this.untouched = false;
    this.build(root);
    this.choose(this.state.control);
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
    this.photo.control.value = this.state.photo;
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
    this.breaks = element("div", { class: "player-breaks" });
    this.about_photo = element("p", { class: "player-about" });
    this.code = element("code");
    this.copy = this.button("Copy the code", () => this.copyCode());
    this.plotted = element("div", { class: "player-plot" });
    const explained =
      "An epoch is one pass through all training photos. Each epoch changes every photo again.";
    this.epochs = element(
      "div",
      { class: "player-epochs" },
      ...[this.epoch.row, this.play, element("p", { class: "player-about" }, explained)],
    );
    const grid = element("div", { class: "player-grid" }, this.canvas, this.captions);
    const part = (name, ...children) => element("div", { class: `player-${name}` }, ...children);
    root.replaceChildren(
      part(
        "columns",
        part("choice", this.photo.row, this.name.row, this.strength.row, ask),
        part("views", grid, this.hold, this.verdict, this.about_photo),
        part("more", this.epochs, this.words, this.breaks, this.plotted),
      ),
      part("code", this.copy, element("pre", { tabindex: "0" }, this.code)),
      element("p", { class: "player-about" }, this.origin()),
    );
  }

  origin() {
    const { made, versions } = this.about;
    return (
      `Keras's own layers made these pictures, on ${made} with Keras ${versions.keras} and ` +
      `TensorFlow ${versions.tensorflow}. Lesson 01's model was trained on other computer-drawn ` +
      "vehicles, without augmentation. In the notebook, the sliders stop anywhere, and you can use " +
      "your own photos."
    );
  }

  button(text, action) {
    const made = element("button", { type: "button" }, text);
    made.addEventListener("click", action);
    return made;
  }

  labeled(text, control) {
    return element("label", { class: "player-row" }, element("span", {}, text), control);
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
    control.addEventListener("input", () => {
      this.moving = true;
      action(Number(control.value));
    });
    control.addEventListener("change", () => {
      this.moving = false; // The slider is released.
      this.paint();
    });
    const row = this.labeled(text, control);
    row.classList.add("player-slider");
    row.append(shown);
    return { control, row, shown };
  }

  // What a visitor does

  choose(control) {
    this.stop();
    this.state.control = control;
    this.name.control.value = control;
    const { stops, epochs } = this.control;
    const frames = [...this.frames.values()].filter((each) => each.control === control);
    for (const each of frames) this.pictures.load(each.file).catch(() => {});
    this.strength.control.max = stops.length - 1;
    this.epoch.control.max = epochs - 1;
    this.epochs.hidden = epochs === 1;
    const parts = control === "lesson" ? ["flip", "contrast"] : [control];
    this.breaks.replaceChildren(
      ...this.about.controls
        .filter((each) => parts.includes(each.name))
        .map((each) => element("p", {}, `${each.title} goes wrong ${each.breaks}.`)),
    );
    // Of lesson 02's pair, the slider sets the contrast.
    const curves = this.sensitivity[parts.at(-1)];
    this.plot = curves && new Plot(curves);
    this.plotted.replaceChildren(...(this.plot ? this.plot.parts : []));
    const start = stops.findIndex((each) => each.value === START[control]);
    this.show({ place: this.places.get(control) ?? start, epoch: 1 });
  }

  show(change) {
    this.state = { ...this.state, ...change };
    const { photo, control, place, epoch } = this.state;
    this.places.set(control, place);
    const stop = this.control.stops[place];
    const label = this.about.photos[photo].label.toLowerCase();
    this.strength.control.value = place;
    this.strength.control.setAttribute("aria-valuetext", tight(stop.shown));
    this.strength.shown.textContent = tight(stop.shown);
    this.epoch.control.value = epoch - 1;
    this.epoch.control.setAttribute("aria-valuetext", `epoch ${epoch}`);
    const views = COLUMNS * COLUMNS * epoch;
    this.epoch.shown.textContent = `${epoch} of ${this.control.epochs} · ${views} views so far`;
    this.words.textContent = tight(stop.words) + (place && NOTES[control] ? ` ${NOTES[control]}` : "");
    this.code.textContent = stop.code;
    this.copy.textContent = "Copy the code";
    this.canvas.setAttribute("aria-label", `Sixteen views of a ${label}. ${tight(stop.words)}`);
    this.about_photo.textContent =
      `A computer-drawn ${label}. Black bars fill the photo up to a square (a letterbox), and ` +
      "black fills what a change leaves empty.";
    this.plot?.mark(Number(stop.value));
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
    const last = this.control.epochs;
    if (this.state.epoch === last) this.show({ epoch: 1 });
    this.playing = setInterval(() => {
      this.show({ epoch: Math.min(this.state.epoch + 1, last) });
      if (this.state.epoch === last) this.stop();
    }, PLAY_MS);
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
    if (!this.ask.checked || this.moving) {
      this.captions.replaceChildren();
      this.verdict.textContent = this.ask.checked
        ? "Release the slider to see the model's answers."
        : `The label says ${label}, for every view. Would you say so too?`;
      return;
    }
    const verdicts = frame.truck.map(tell);
    this.captions.replaceChildren(
      ...verdicts.map(([name, percent]) => {
        const agrees = name === label;
        const text = `${agrees ? "✓" : "✗"} ${name} ${percent}%`;
        return element("span", { class: agrees ? "agrees" : "disagrees" }, text);
      }),
    );
    const agree = verdicts.filter(([name]) => name === label).length;
    const [name, percent] = tell(truck);
    this.verdict.textContent =
      `Label ${label}. The model says ${label} for ${agree} of ${COLUMNS * COLUMNS} views; ` +
      `for the photo itself it says ${name}, ${percent}%.`;
  }
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
    const advice =
      location.protocol === "file:"
        ? "Browsers load its pictures only from a web server: run python -m http.server in this folder"
        : "Load the page again";
    root.textContent = `The explorer could not be loaded: ${error.message}. ${advice}.`;
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
