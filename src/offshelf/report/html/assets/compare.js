/* Two runs: the pictures of what changed, and classes that gained and lost. */
const groups = data.items ? bytes(data.items.groups) : [];
const points = data.items ? uint32(data.items.points) : [];
const labels = data.items ? uint16(data.items.labels) : [];
const taken = data.items ? [data.items.first, data.items.second].map(data.kind === "class" ? uint16 : numbers) : [[], []];
const truth = data.items ? numbers(data.items.true) : [];
const shown = { group: +(document.querySelector(".tab[aria-pressed=true]")?.dataset.group ?? 0), label: "", count: 12 };

function line(letter, words, isRight) {
  const row = make("p", `says ${["taken", "true"][+isRight] ?? ""}`), bold = make("b");
  bold.append(make("bdi", "", words));
  bold.title = words;
  row.append(make("span", "letter", letter), bold, make("span", "tag", ""));
  return row;
}
function lines(item) {
  const both = [0, 1].map(side => taken[side][item]);
  if (data.kind === "number") {
    const errors = both.map(value => Math.abs(value - truth[item]));
    return [line("", `true ${round(truth[item])}`),
      ...both.map((value, side) => line("AB"[side], `${round(value)}, off by ${round(errors[side])}`, errors[side] <= errors[1 - side]))];
  }
  if (data.kind === "labels") {
    const hasIt = truth[item] > 0.5, name = className(labels[item]);
    return [line("", hasIt ? name : `not ${name}`),
      ...both.map((value, side) => line("AB"[side], value > 0 ? "given" : "not given", (value > 0) === hasIt))];
  }
  return [line("", className(labels[item])),
    ...both.map((number, side) => line("AB"[side], className(number), number === labels[item]))];
}
function card(item) {
  const point = points[item], element = make("article", "card"), about = make("div"), path = make("p", "path");
  element.tabIndex = -1;
  element.dataset.item = item;
  path.append(make("bdi", "", ids[point]));
  path.title = ids[point];
  about.append(path, ...lines(item));
  element.append(picture(point, 104), about);
  return element;
}
function matching() {
  const found = [];
  for (let item = 0; item < points.length; item++)
    if (groups[item] === shown.group && (shown.label === "" || labels[item] === shown.label)) found.push(item);
  return found;
}
function gallery() {
  if (!find("cards")) return;
  const found = matching(), first = found.slice(0, shown.count), all = data.counts[shown.group];
  find("cards").replaceChildren(...first.map(card));
  find("more").hidden = found.length <= first.length;
  const kept = shown.label === "" && all > found.length ? `the first ${found.length.toLocaleString("en")} of ${all.toLocaleString("en")}; ` : "";
  const what = data.kind === "labels" ? "pairs of an image and a label" : "images";
  find("count").textContent = found.length
    ? `${kept}${found.length.toLocaleString("en")} ${what}, ${first.length.toLocaleString("en")} shown.` : `No ${what} like that.`;
}
function choose(change, isFollowed) {
  Object.assign(shown, { count: 12 }, change);
  for (const tab of document.querySelectorAll(".tab")) tab.setAttribute("aria-pressed", String(+tab.dataset.group === shown.group));
  if (find("label")) find("label").value = shown.label;
  gallery();
  if (!isFollowed) return;
  find("pictures").scrollIntoView({ block: "start" });
  find("count").focus({ preventScroll: true });
}
for (const tab of document.querySelectorAll(".tab")) tab.addEventListener("click", () => choose({ group: +tab.dataset.group }));
const used = new Set(labels);
classes.forEach((name, number) => {
  if (!used.has(number) || !find("label")) return;
  const option = make("option", "", name);
  option.value = number;
  find("label").append(option);
});
find("label")?.addEventListener("change", event => choose({ label: event.target.value === "" ? "" : +event.target.value }));
find("more")?.addEventListener("click", () => {
  const before = shown.count;
  shown.count += 24;
  gallery();
  find("cards").children[before]?.focus();
});

const list = find("classes"), rows = list ? [...list.children].slice(1) : [];
const change = row => +row.dataset.change;
const orders = {
  change: (a, b) => Math.abs(change(b)) - Math.abs(change(a)), gained: (a, b) => change(b) - change(a),
  lost: (a, b) => change(a) - change(b), number: (a, b) => a.dataset.class - b.dataset.class,
};
find("class-sort")?.addEventListener("change", event => list.append(...rows.sort(orders[event.target.value])));
find("class-search")?.addEventListener("input", event => {
  const wanted = event.target.value.toLowerCase();
  for (const row of rows) row.style.display = classes[row.dataset.class].toLowerCase().includes(wanted) ? "" : "none";
});
list?.addEventListener("click", event => {
  const row = event.target.closest("li[data-class]");
  if (!event.target.closest("button") || !find("cards")) return;
  const label = +row.dataset.class, has = group => points.some((_, item) => groups[item] === group && labels[item] === label);
  const wanted = change(row) < 0 ? [1, 0, 2] : [0, 1, 2];
  choose({ label, group: wanted.find(has) ?? 0 }, true);
});
gallery();
