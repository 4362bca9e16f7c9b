/* Drawing again when the size, the colours or the paper change; the beginning. */
const redraw = () => drawings.forEach(draw => draw());
const printing = is => {
  document.documentElement.classList.toggle("printing", is);
  redraw();
};
addEventListener("beforeprint", () => printing(true));
addEventListener("afterprint", () => printing(false));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
new ResizeObserver(redraw).observe(document.querySelector("main"));
gallery();
redraw();
