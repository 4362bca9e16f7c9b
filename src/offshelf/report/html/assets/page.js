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
for (const button of document.querySelectorAll(".copy"))
  button.addEventListener("click", async () => {
    const code = button.previousElementSibling;
    getSelection().selectAllChildren(code);
    try {
      await navigator.clipboard.writeText(code.textContent);
      button.textContent = "copied";
    } catch {
      button.textContent = "selected";
    }
  });
gallery();
redraw();
document.documentElement.dataset.ready = "yes";
