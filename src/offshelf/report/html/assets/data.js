/* What the page shows, as packing.py wrote it; pictures; what is pointed at. */
const NONE = 0xffff, EVERY = -1;
const data = JSON.parse(document.getElementById("data").textContent);
const find = id => document.getElementById(id);

/* Arrays and names, as packing.py writes them. */
const bytes = text => Uint8Array.from(atob(text), letter => letter.charCodeAt(0));
const uint16 = text => new Uint16Array(bytes(text).buffer);
const uint32 = text => new Uint32Array(bytes(text).buffer);
const numbers = one => Float64Array.from(uint16(one.codes), code => (code === NONE ? NaN : one.low + code * one.step));
function namesOf({ shared, rests, order }) {
  const lengths = uint16(shared), names = [];
  let before = "";
  uint32(order).forEach((place, number) => {
    before = Array.from(before).slice(0, lengths[number]).join("") + rests[number]; // code points, as Python counts
    names[place] = before;
  });
  return names;
}

/* Control characters and overrides of the writing direction as their codes, as `visible` of names.py has them. */
const visible = text => text.replace(/[\0-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/g,
  letter => (letter <= "\xff" ? `\\x${letter.charCodeAt(0).toString(16).padStart(2, "0")}` : `\\u${letter.charCodeAt(0).toString(16)}`));
const ids = data.ids ? namesOf(data.ids).map(visible) : [];
const classes = data.classes.map(visible);
const tiles = uint16(data.pictures.tiles), sizes = bytes(data.pictures.sizes);
function make(tag, kind, text) {
  const element = document.createElement(tag);
  if (kind) element.className = kind;
  if (text !== undefined) element.textContent = text;
  return element;
}
const colour = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const className = number => (number === NONE ? "–" : number === EVERY ? "any" : classes[number]);

/* Pictures: parts of a few sheets. */
const sheets = [];
function sheet(number) {
  sheets[number] ??= new Promise(done => {
    const image = new Image();
    image.onload = () => done(image);
    image.src = data.pictures.sheets[number];
  });
  return sheets[number];
}
function picture(point, side) {
  const box = make("span", "picture");
  box.style.width = box.style.height = `${side}px`;
  box.title = ids[point];
  box.setAttribute("role", "img");
  box.setAttribute("aria-label", ids[point]);
  const tile = tiles[point];
  if (tile === NONE) {
    box.classList.add("none");
    box.textContent = ids[point].split("/").pop().slice(-40);
    return box;
  }
  const { side: step, perSheet, isExact } = data.pictures, columns = Math.sqrt(perSheet), place = tile % perSheet;
  const [width, height] = [sizes[2 * point], sizes[2 * point + 1]], scale = side / Math.max(width, height);
  const canvas = make("canvas");
  canvas.width = width;
  canvas.height = height;
  canvas.style.width = `${width * scale}px`;
  canvas.style.height = `${height * scale}px`;
  if (isExact) box.classList.add("exact");
  box.append(canvas);
  sheet(Math.floor(tile / perSheet)).then(image => {
    const [left, top] = [(place % columns) * step, Math.floor(place / columns) * step];
    canvas.getContext("2d").drawImage(image, left, top, width, height, 0, 0, width, height);
  });
  return box;
}

/* What is pointed at. */
const tip = find("tip");
function showTip(x, y, ...content) {
  tip.replaceChildren(...content);
  tip.style.display = "block";
  const { width, height } = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(4, Math.min(x + 14, innerWidth - width - 6))}px`;
  tip.style.top = `${y + 16 + height > innerHeight ? Math.max(4, y - height - 10) : y + 16}px`;
}
const hideTip = () => (tip.style.display = "none");
document.addEventListener("pointermove", event => {
  const target = event.target.closest?.("[data-tip]");
  if (target) showTip(event.clientX, event.clientY, make("p", "", target.dataset.tip));
  else if (event.target.id !== "map" && event.target.id !== "matrix") hideTip();
});
document.addEventListener("scroll", hideTip, { passive: true });
document.addEventListener("keydown", event => event.key === "Escape" && hideTip());
const round = value => (Number.isFinite(value) ? String(+value.toPrecision(4)) : "");
