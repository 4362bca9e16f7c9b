/* The gallery. */
const shown = { what: data.kind === "class" ? "wrong" : "all", true: "", taken: "", count: 12 };
function matching() {
  const found = [];
  for (let item = 0; item < items.points.length; item++) {
    if (shown.what !== "all" && (shown.what === "wrong") !== Boolean(items.wrong[item])) continue;
    if (shown.true !== "" && items.true[item] !== shown.true) continue;
    if (shown.taken !== "" && items.taken[item] !== shown.taken) continue;
    found.push(item);
  }
  return found;
}
function line(kind, tag, name, score) {
  const row = make("p", `says ${kind}`);
  const bold = make("b");
  bold.append(make("bdi", "", name));
  bold.title = name;
  row.append(make("span", "tag", tag), bold, make("span", "number", round(score)));
  return row;
}
function lines(item) {
  const [true_, taken] = [items.true[item], items.taken[item]];
  const [trueScore, takenScore] = [items.trueScores[item], items.takenScores[item]];
  if (data.kind === "number")
    return [line("true", "true", round(trueScore)), line("taken", "predicted", round(takenScore)),
      line("", "off by", round(Math.abs(takenScore - trueScore)))];
  if (data.kind === "labels")
    return [true_ === NONE ? line("taken", "given", className(taken), takenScore) : line("taken", "missed", className(true_), trueScore)];
  if (!items.wrong[item]) return [line("true", "true and taken", className(true_), trueScore)];
  return [line("true", "true", className(true_), trueScore), line("taken", "taken for", className(taken), takenScore)];
}
function card(item) {
  const point = items.points[item], element = make("article", items.wrong[item] ? "card wrong" : "card");
  element.tabIndex = -1;
  element.dataset.item = item;
  const about = make("div");
  const path = make("p", "path");
  path.append(make("bdi", "", ids[point]));
  path.title = ids[point];
  const where = make("button", "where", "on the map");
  where.type = "button";
  where.addEventListener("click", () => map.show(point, true));
  about.append(path, ...lines(item), where);
  element.append(picture(point, 104), about);
  const near = data.neighbours[item] ?? [];
  if (near.length) {
    const beside = make("div", "near");
    for (const [group, list] of near) {
      const part = make("div"), words = make("p", "", group === EVERY ? "nearest training images" : "nearest of ");
      if (group !== EVERY) words.append(make("bdi", "", className(group)));
      const strip = make("div", "strip");
      strip.append(...list.map(one => picture(one, 44)));
      part.append(words, strip);
      beside.append(part);
    }
    element.append(beside);
  }
  return element;
}
function gallery() {
  const found = matching(), first = found.slice(0, shown.count);
  find("cards").replaceChildren(...first.map(card));
  find("more").hidden = found.length <= first.length;
  const plural = { class: { wrong: "mistakes", right: "right images", all: "test images" }[shown.what], labels: "wrong labels", number: "test images" }[data.kind];
  const what = found.length === 1 ? plural.slice(0, -1) : plural;
  const sorted = shown.what === "right" ? "the least sure first" : data.kind === "number" ? "the largest errors first" : "worst first";
  const scores = data.kind === "number" ? "" : ` Scores are ${data.isProbability ? "probabilities" : "decision values"}.`;
  find("count").textContent = found.length
    ? `${found.length.toLocaleString("en")} ${what}, ${sorted}; ${first.length.toLocaleString("en")} shown.${scores}`
    : `No ${what}${shown.true === "" && shown.taken === "" ? "" : " like that"}${data.isRepeated ? " in the first test of each image" : ""}.`;
}
function choose(change, isFollowed) {
  Object.assign(shown, { count: 12 }, change);
  for (const [id, value] of [["show", shown.what], ["true", shown.true], ["taken", shown.taken]]) if (find(id)) find(id).value = value;
  for (const cell of document.querySelectorAll("td.picked")) cell.classList.remove("picked");
  const picked = document.querySelector(`td button[data-true="${shown.true}"][data-taken="${shown.taken}"]`);
  picked?.parentElement.classList.add("picked");
  gallery();
  if (!isFollowed) return;
  find("pictures").scrollIntoView({ block: "start" });
  find("count").focus({ preventScroll: true });
}
const showCell = (row, column) => choose({ what: "all", true: row, taken: column }, true);
for (const id of ["true", "taken"]) {
  const used = new Set(items[id]);
  classes.forEach((name, number) => {
    if (!used.has(number) || !find(id)) return;
    const option = make("option", "", name);
    option.value = number;
    find(id).append(option);
  });
  find(id)?.addEventListener("change", event => choose({ [id]: event.target.value === "" ? "" : +event.target.value }));
}
find("show")?.addEventListener("change", event => choose({ what: event.target.value }));
find("more").addEventListener("click", () => {
  const before = shown.count;
  shown.count += 24;
  gallery();
  find("cards").children[before]?.focus();
});
document.addEventListener("click", event => {
  const cell = event.target.closest?.("[data-true]");
  if (cell) showCell(+cell.dataset.true, +cell.dataset.taken);
});
