/* Classes: sort, search, click. */
const list = find("classes");
const rows = list ? [...list.children].slice(1) : [];
const orders = {
  value: (a, b) => a.dataset.value - b.dataset.value,
  best: (a, b) => (b.dataset.value > 1 ? -1 : +b.dataset.value) - (a.dataset.value > 1 ? -1 : +a.dataset.value),
  images: (a, b) => a.dataset.images - b.dataset.images,
  number: (a, b) => a.dataset.class - b.dataset.class,
};
find("class-sort")?.addEventListener("change", event => list.append(...rows.sort(orders[event.target.value])));
find("class-search")?.addEventListener("input", event => {
  const wanted = event.target.value.toLowerCase();
  for (const row of rows) row.hidden = !classes[row.dataset.class].toLowerCase().includes(wanted);
  for (const row of rows) row.style.display = row.hidden ? "none" : "";
});
list?.addEventListener("click", event => {
  const number = event.target.closest("li[data-class]")?.dataset.class;
  if (!event.target.closest("button")) return;
  if (data.kind !== "class") return choose({ true: "", taken: +number }, true);
  choose({ what: items.true.some((one, item) => one == number && items.wrong[item]) ? "wrong" : "all", true: +number, taken: "" }, true);
});

/* The confusion matrix as a table: arrow keys go from cell to cell. */
const matrix = find("matrix");
if (matrix && data.confusion.isTable) {
  const cells = [...matrix.querySelectorAll("button")];
  if (cells.length) cells[0].tabIndex = 0;
  const steps = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
  matrix.addEventListener("keydown", event => {
    const step = steps[event.key], from = event.target.dataset;
    if (!step || from.true === undefined) return;
    event.preventDefault();
    let [row, column] = [+from.true + step[0], +from.taken + step[1]];
    for (; row >= 0 && column >= 0 && row < classes.length && column < classes.length; row += step[0], column += step[1]) {
      const next = matrix.querySelector(`button[data-true="${row}"][data-taken="${column}"]`);
      if (!next) continue;
      event.target.tabIndex = -1;
      next.tabIndex = 0;
      next.focus();
      break;
    }
  });
}

/* The confusion matrix as a canvas, of many classes. */
const drawings = [];
if (matrix && !data.confusion.isTable) drawings.push(manyClasses(matrix));
function manyClasses(canvas) {
  const [trues, takens, counts] = [uint16(data.confusion.rows), uint16(data.confusion.columns), uint32(data.confusion.counts)];
  const totals = new Float64Array(classes.length);
  counts.forEach((count, cell) => (totals[trues[cell]] += count));
  const byPlace = new Map();
  counts.forEach((count, cell) => byPlace.set(trues[cell] * classes.length + takens[cell], cell));
  const order = [...counts.keys()].sort((a, b) => counts[a] / totals[trues[a]] - counts[b] / totals[trues[b]]);
  let current = -1, size = 0;
  function draw() {
    size = canvas.clientWidth;
    const ratio = devicePixelRatio || 1, context = canvas.getContext("2d"), step = size / classes.length;
    canvas.width = canvas.height = Math.round(size * ratio);
    context.scale(ratio, ratio);
    context.fillStyle = colour("--panel");
    context.fillRect(0, 0, size, size);
    const mark = Math.max(step, 2.2), [right, off] = [colour("--shade"), colour("--off")];
    for (const cell of order) {
      const share = Math.sqrt(counts[cell] / totals[trues[cell]]);
      context.fillStyle = `rgb(${trues[cell] === takens[cell] ? right : off} / ${0.12 + 0.88 * share})`;
      context.fillRect(takens[cell] * step, trues[cell] * step, mark, mark);
    }
    if (current < 0) return;
    context.strokeStyle = colour("--ink");
    context.strokeRect(takens[current] * step - 2, trues[current] * step - 2, mark + 4, mark + 4);
  }
  const words = cell => `${counts[cell]} of ${totals[trues[cell]]} ${classes[trues[cell]]} taken for ${classes[takens[cell]]}`;
  function at(event) {
    const place = canvas.getBoundingClientRect(), step = size / classes.length;
    const [x, y] = [(event.clientX - place.left) / step, (event.clientY - place.top) / step];
    const exact = byPlace.get(Math.floor(y) * classes.length + Math.floor(x));
    if (exact !== undefined) return exact;
    let [best, distance] = [-1, (5 / step) ** 2];
    counts.forEach((_, cell) => {
      const away = (takens[cell] + 0.5 - x) ** 2 + (trues[cell] + 0.5 - y) ** 2;
      if (away < distance) [best, distance] = [cell, away];
    });
    return best;
  }
  function go(cell) {
    current = cell;
    draw();
    find("cell").textContent = cell < 0 ? "" : words(cell);
  }
  canvas.addEventListener("pointermove", event => {
    const cell = at(event);
    if (cell < 0) return hideTip();
    showTip(event.clientX, event.clientY, make("p", "", words(cell)));
  });
  canvas.addEventListener("pointerleave", hideTip);
  canvas.addEventListener("click", event => {
    const cell = at(event);
    go(cell);
    if (cell >= 0) showCell(trues[cell], takens[cell]);
  });
  const along = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] };
  canvas.addEventListener("keydown", event => {
    if (event.key === "Enter" && current >= 0) return showCell(trues[current], takens[current]);
    const step = along[event.key];
    if (!step || !counts.length) return;
    event.preventDefault();
    if (current < 0) return go(0);
    const ahead = cell => (step[0] ? (trues[cell] - trues[current]) * step[0] : (takens[cell] - takens[current]) * step[1]);
    const aside = cell => Math.abs(step[0] ? takens[cell] - takens[current] : trues[cell] - trues[current]);
    let [best, least] = [-1, Infinity];
    counts.forEach((_, cell) => {
      const cost = ahead(cell) + 3 * aside(cell);
      if (ahead(cell) > 0 && cost < least) [best, least] = [cell, cost];
    });
    if (best >= 0) go(best);
  });
  return draw;
}
