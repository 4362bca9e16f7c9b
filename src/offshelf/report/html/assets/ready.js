/* Buttons that copy; the end of the beginning. */
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
document.documentElement.dataset.ready = "yes";
