/* The lists of an inspection: pictures in their places, the first cards of each list, filters. */
const drawings = [];
const FIRST = 12, MORE = 24;
const shelves = new Map([...document.querySelectorAll(".cards")].map(shelf => [shelf.id.replace("-cards", ""), { shelf, count: FIRST }]));
function fill(card) {
  for (const place of card.querySelectorAll(".pic:empty")) place.append(picture(+place.dataset.point, +place.dataset.side));
}
function isWanted(card, name) {
  for (const select of document.querySelectorAll(`select[data-of="${name}"]`)) {
    const has = card.dataset[select.dataset.filter].split("|");
    if (select.value !== "" && !has.includes(select.value)) return false;
  }
  return true;
}
/* Shows the first cards that a filter lets through; returns those that were hidden before. */
function showShelf(name) {
  const { shelf, count } = shelves.get(name), wanted = [...shelf.children].filter(card => isWanted(card, name));
  const first = new Set(wanted.slice(0, count)), fresh = [];
  for (const card of shelf.children) {
    if (first.has(card) && card.hidden) fresh.push(card);
    card.hidden = !first.has(card);
    if (!card.hidden) fill(card);
  }
  const more = document.querySelector(`button.more[data-of="${name}"]`);
  if (more) {
    more.hidden = wanted.length <= count;
    more.textContent = `Show more (${(wanted.length - Math.min(count, wanted.length)).toLocaleString("en")} left)`;
  }
  return fresh;
}
function gallery() {
  for (const name of shelves.keys()) showShelf(name);
}
document.addEventListener("change", event => {
  const name = event.target.dataset?.of;
  if (!name) return;
  shelves.get(name).count = FIRST;
  showShelf(name);
});
document.addEventListener("click", event => {
  const more = event.target.closest?.("button.more"), where = event.target.closest?.("[data-show]");
  if (more) {
    shelves.get(more.dataset.of).count += MORE;
    showShelf(more.dataset.of)[0]?.focus();
  }
  if (where) map.show(+where.dataset.show, true);
});
