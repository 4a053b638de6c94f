// Runs when the explorer's style sheet is loaded: `this` is the style element.
// ipywidgets gives its sliders' handles and numbers no name that a screen reader could say.
const root = this.closest(".augmentation-explorer");
const nameHandles = () => {
  for (const slider of root.querySelectorAll(".widget-hslider")) {
    const name = slider.querySelector(".widget-label")?.textContent.trim() || "Value";
    for (const part of slider.querySelectorAll(".noUi-handle, .widget-readout")) {
      part.setAttribute("aria-label", name);
      if (part.matches(".widget-readout")) part.setAttribute("role", "textbox");
    }
  }
};
// Nor its buttons that play: they have icons alone, in version 7 as in version 8.
const icons = { "fa-play": "Play or pause the epochs", "fa-pause": "Pause the epochs",
  "fa-stop": "Stop and go back to the first epoch", "fa-retweet": "Repeat the epochs" };
const nameIcons = () => {
  for (const icon of root.querySelectorAll(".widget-play button:not([aria-label]) i")) {
    const found = Object.keys(icons).find((name) => icon.classList.contains(name));
    if (found) icon.parentElement.setAttribute("aria-label", icons[found]);
  }
};
const name = () => { nameHandles(); nameIcons(); };
name();
new MutationObserver(name).observe(root, { childList: true, subtree: true });
// Files dropped on the explorer go to its upload button. Its file input is not in the page, so the
// click that would open it is caught on the way.
const findInput = () => {
  let found;
  HTMLInputElement.prototype.click = function () { found = this; };
  try {
    root.querySelector(".widget-upload").click();
  } finally {
    delete HTMLInputElement.prototype.click;  // what it inherits comes back
  }
  return found;
};
const takesFiles = (event) => event.dataTransfer.types.includes("Files")
  && root.querySelector(".widget-upload");
root.addEventListener("dragover", (event) => {
  if (!takesFiles(event)) return;
  event.preventDefault();
  root.classList.add("ax-dropping");
});
root.addEventListener("dragleave", (event) => {
  if (!root.contains(event.relatedTarget)) root.classList.remove("ax-dropping");
});
root.addEventListener("drop", (event) => {
  root.classList.remove("ax-dropping");
  if (!takesFiles(event)) return;
  event.preventDefault();
  event.stopPropagation();
  const input = findInput();
  input.files = event.dataTransfer.files;
  input.dispatchEvent(new Event("change"));
});
