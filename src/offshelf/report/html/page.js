"use strict";
(() => {
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

  const ids = namesOf(data.ids);
  const classes = data.classes;
  const colourClass = uint16(data.colours);
  const items = {
    points: uint32(data.items.points), true: uint16(data.items.true), taken: uint16(data.items.taken),
    trueScores: numbers(data.items.trueScores), takenScores: numbers(data.items.takenScores), wrong: bytes(data.items.wrong),
  };
  const tiles = uint16(data.pictures.tiles), sizes = bytes(data.pictures.sizes);
  const isWrong = new Uint8Array(ids.length), itemOf = new Int32Array(ids.length).fill(-1);
  items.points.forEach((point, item) => {
    if (itemOf[point] < 0) itemOf[point] = item;
    if (items.wrong[item]) isWrong[point] = 1;
  });

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
  const verdict = item => {
    const [true_, taken] = [items.true[item], items.taken[item]];
    if (data.kind === "number") return `true ${round(items.trueScores[item])}, predicted ${round(items.takenScores[item])}`;
    if (data.kind === "labels") return `wrong about ${className(true_ === NONE ? taken : true_)}`;
    return items.wrong[item] ? `${className(true_)}, taken for ${className(taken)}` : `${className(true_)}, rightly`;
  };
  const round = value => (Number.isFinite(value) ? String(+value.toPrecision(4)) : "");
  function describe(point) {
    const known = itemOf[point] >= 0 ? verdict(itemOf[point]) : point < data.tested ? "test image" : "";
    const of = colourClass[point] === NONE ? "training image" : `training image of ${className(colourClass[point])}`;
    const words = known || of;
    const shown = tiles[point] === NONE ? [] : [picture(point, 120)];
    const bold = make("p");
    bold.append(make("b", "", words));
    return [...shown, bold, make("p", "", ids[point])];
  }

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
    const what = { class: { wrong: "mistakes", right: "right images", all: "test images" }[shown.what], labels: "wrong labels", number: "test images" }[data.kind];
    const sorted = shown.what === "right" ? "the least sure first" : data.kind === "number" ? "the largest errors first" : "worst first";
    const scores = data.kind === "number" ? "" : ` Scores are ${data.isProbability ? "probabilities" : "decision values"}.`;
    find("count").textContent = found.length
      ? `${found.length.toLocaleString("en")} ${what}, ${sorted}; ${first.length.toLocaleString("en")} shown.${scores}`
      : `No ${what} like that.`;
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

  /* The map. */
  const map = makeMap(find("map"));
  drawings.push(map.draw);
  function makeMap(canvas) {
    const MANY = 8000, [xs, ys] = [numbers(data.x), numbers(data.y)], count = ids.length;
    const span = Math.max(xs.reduce((a, b) => Math.max(a, b), -Infinity) - data.x.low, ys.reduce((a, b) => Math.max(a, b), -Infinity) - data.y.low, 1e-9);
    const middle = [data.x.low + (data.x.step * (NONE - 1)) / 2, data.y.low + (data.y.step * (NONE - 1)) / 2];
    const view = { x: middle[0], y: middle[1], zoom: 1 };
    const picked = { class: -1, point: -1 };
    let [width, height] = [0, 0], frame = 0, sprites = new Map(), grid = null;
    const mistakes = [...items.points].filter((point, item) => items.wrong[item] && itemOf[point] === item);
    const scale = () => (view.zoom * 0.92 * Math.min(width, height)) / span;
    const toScreen = point => [width / 2 + (xs[point] - view.x) * scale(), height / 2 - (ys[point] - view.y) * scale()];

    const isDark = () => matchMedia("screen and (prefers-color-scheme: dark)").matches && !document.documentElement.classList.contains("printing");
    const few = ["#4477aa", "#ee6677", "#228833", "#ccaa22", "#44b4dd", "#aa3377", "#e07020", "#777777", "#7755cc", "#109a86", "#994411", "#d070b8"];
    const values = data.values ? numbers(data.values) : null;
    function hue(point) {
      if (values) return Math.round(((values[point] - data.values.low) / (data.values.step * (NONE - 1) || 1)) * 30);
      return colourClass[point] === NONE ? -1 : classes.length <= few.length ? colourClass[point] : colourClass[point] % 48;
    }
    function paint(hue) {
      if (hue < 0) return colour("--grey");
      if (values) return `hsl(${250 - hue * 7} 70% ${isDark() ? 62 : 45}%)`;
      if (classes.length <= few.length) return few[hue];
      return `hsl(${(hue * 137.5) % 360} 62% ${(isDark() ? 62 : 44) + 8 * (hue % 2)}%)`;
    }
    const hues = Int16Array.from({ length: count }, (_, point) => hue(point));

    function sprite(kind, hue, ratio) {
      const name = `${kind}/${hue}`;
      if (sprites.has(name)) return sprites.get(name);
      const many = count > MANY ? 0.75 : 1, radius = { train: 2.2, test: 3.8, wrong: 4.2, pale: 2 }[kind] * many, half = radius + 3;
      const image = make("canvas");
      image.width = image.height = Math.ceil(2 * half * ratio);
      const context = image.getContext("2d");
      context.scale(ratio, ratio);
      context.beginPath();
      context.arc(half, half, radius, 0, 2 * Math.PI);
      context.fillStyle = kind === "pale" ? colour("--line") : paint(hue);
      context.globalAlpha = { train: 0.5, test: 0.85, wrong: 1, pale: 0.8 }[kind];
      context.fill();
      if (kind === "wrong") {
        context.beginPath();
        context.arc(half, half, radius + 1.4, 0, 2 * Math.PI);
        context.strokeStyle = colour("--ink");
        context.lineWidth = 1.5;
        context.stroke();
      }
      sprites.set(name, { image, half });
      return sprites.get(name);
    }
    const LAYERS = ["pale", "train", "test", "wrong"];
    const byHue = Int32Array.from({ length: count }, (_, point) => point).sort((a, b) => hues[a] - hues[b] || b - a);
    const layers = new Uint8Array(count).fill(255);
    /* Which layer each point is on; 255 if it is not shown. */
    function sortIntoLayers() {
      const [hasTrained, isOnlyWrong] = [find("trained").checked, find("only-wrong").checked];
      for (let point = 0; point < count; point++) {
        const isTested = point < data.tested;
        const isShown = isTested ? !isOnlyWrong || isWrong[point] : hasTrained && !isOnlyWrong;
        const own = picked.class >= 0 && colourClass[point] !== picked.class ? 0 : !isTested ? 1 : isWrong[point] ? 3 : 2;
        layers[point] = isShown ? own : 255;
      }
    }
    function drawLayer(context, layer, ratio) {
      const kind = LAYERS[layer], size = scale(), [left, top] = [width / 2 - view.x * size, height / 2 + view.y * size];
      const isSquare = count > MANY && layer < 2; // squares take a fraction of the time of pictures
      let hue = null, image = null, half = 0;
      context.globalAlpha = isSquare ? 0.5 : 1;
      for (let number = 0; number < count; number++) {
        const point = byHue[number];
        if (layers[point] !== layer) continue;
        const x = left + xs[point] * size, y = top - ys[point] * size;
        if (x < -9 || y < -9 || x > width + 9 || y > height + 9) continue;
        if (hue !== hues[point]) {
          hue = hues[point];
          if (isSquare) context.fillStyle = layer ? paint(hue) : colour("--line");
          else ({ image, half } = sprite(kind, layer ? hue : 0, ratio));
        }
        if (isSquare) context.fillRect(x - 1.2, y - 1.2, 2.4, 2.4);
        else context.drawImage(image, x - half, y - half, 2 * half, 2 * half);
      }
      context.globalAlpha = 1;
    }
    function draw() {
      frame = 0;
      const ratio = devicePixelRatio || 1, context = canvas.getContext("2d");
      if (width !== canvas.clientWidth || height !== canvas.clientHeight || canvas.width !== Math.round(width * ratio)) {
        [width, height] = [canvas.clientWidth, canvas.clientHeight];
        canvas.width = Math.round(width * ratio);
        canvas.height = Math.round(height * ratio);
      }
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      context.clearRect(0, 0, width, height);
      sortIntoLayers();
      LAYERS.forEach((_, layer) => drawLayer(context, layer, ratio));
      names(context);
      ring();
      canvas.dataset.drawn = +(canvas.dataset.drawn || 0) + 1;
    }
    /* The ring around what is pointed at, on a canvas of its own: it moves without the points. */
    function ring() {
      const over = find("ring"), context = over.getContext("2d"), ratio = devicePixelRatio || 1;
      [over.width, over.height] = [canvas.width, canvas.height];
      if (picked.point < 0) return;
      const [x, y] = toScreen(picked.point);
      context.scale(ratio, ratio);
      context.strokeStyle = colour("--ink");
      context.lineWidth = 2.5;
      context.beginPath();
      context.arc(x, y, 10, 0, 2 * Math.PI);
      context.stroke();
    }
    const centres = classes.length <= 30 && !values ? classes.map((_, number) => centre(number)) : [];
    function centre(number) {
      const own = [];
      for (let point = 0; point < count; point++) if (colourClass[point] === number) own.push(point);
      const median = list => Float64Array.from(own, point => list[point]).sort()[own.length >> 1];
      return own.length ? [median(xs), median(ys)] : null;
    }
    function names(context) {
      context.font = "600 13px system-ui, sans-serif";
      context.textAlign = "center";
      context.lineWidth = 4;
      context.lineJoin = "round";
      centres.forEach((place, number) => {
        if (!place || (picked.class >= 0 && picked.class !== number)) return;
        const name = classes[number].length > 18 ? `${classes[number].slice(0, 17)}…` : classes[number];
        const [at, y] = [width / 2 + (place[0] - view.x) * scale(), height / 2 - (place[1] - view.y) * scale()];
        const half = context.measureText(name).width / 2 + 4;
        const x = at > 0 && at < width ? Math.max(half, Math.min(width - half, at)) : at;
        context.strokeStyle = colour("--paper");
        context.strokeText(name, x, y + 4);
        context.fillStyle = colour("--ink");
        context.fillText(name, x, y + 4);
      });
    }
    const later = () => (frame ||= requestAnimationFrame(draw));

    /* Points by cells of a grid, to find what is pointed at. */
    const CELLS = 128;
    function cellsOf() {
      const cell = Int32Array.from({ length: count }, (_, point) => cellAt(xs[point], ys[point]));
      const starts = new Int32Array(CELLS * CELLS + 1);
      cell.forEach(one => starts[one + 1]++);
      for (let one = 0; one < CELLS * CELLS; one++) starts[one + 1] += starts[one];
      const next = starts.slice(), inside = new Int32Array(count);
      cell.forEach((one, point) => (inside[next[one]++] = point));
      return { starts, inside };
    }
    const column = (value, low) => Math.max(0, Math.min(CELLS - 1, Math.floor(((value - low) / span) * CELLS)));
    const cellAt = (x, y) => column(y, data.y.low) * CELLS + column(x, data.x.low);
    function nearest(x, y, reach = 14) {
      grid ??= cellsOf();
      const size = scale(), [atX, atY] = [view.x + (x - width / 2) / size, view.y - (y - height / 2) / size], far = reach / size;
      let [best, least] = [-1, far * far];
      for (let row = column(atY - far, data.y.low); row <= column(atY + far, data.y.low); row++)
        for (let place = column(atX - far, data.x.low); place <= column(atX + far, data.x.low); place++)
          for (let one = grid.starts[row * CELLS + place]; one < grid.starts[row * CELLS + place + 1]; one++) {
            const point = grid.inside[one];
            const away = ((xs[point] - atX) ** 2 + (ys[point] - atY) ** 2) * (isWrong[point] ? 0.6 : 1);
            if (away < least && layers[point] && layers[point] !== 255) [best, least] = [point, away];
          }
      return best;
    }
    function place(event) {
      const box = canvas.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    }
    function zoomBy(factor, [x, y] = [width / 2, height / 2]) {
      const before = scale(), zoom = Math.max(0.8, Math.min(400, view.zoom * factor));
      const at = [view.x + (x - width / 2) / before, view.y - (y - height / 2) / before];
      view.zoom = zoom;
      view.x = at[0] - (x - width / 2) / scale();
      view.y = at[1] + (y - height / 2) / scale();
      canvas.style.touchAction = zoom > 1 ? "none" : "pan-y";
      later();
    }
    function move(x, y) {
      view.x -= x / scale();
      view.y += y / scale();
      later();
    }
    function whole() {
      Object.assign(view, { x: middle[0], y: middle[1], zoom: 1 });
      picked.point = -1;
      zoomBy(1);
    }
    function show(point, isFollowed) {
      picked.point = point;
      const [x, y] = toScreen(point);
      if (x < 20 || y < 20 || x > width - 20 || y > height - 20) Object.assign(view, { x: xs[point], y: ys[point] });
      draw();
      if (isFollowed) {
        find("map-section").scrollIntoView({ block: "start" });
        canvas.focus({ preventScroll: true });
      }
      const box = canvas.getBoundingClientRect(), at = toScreen(point);
      requestAnimationFrame(() => showTip(box.left + at[0], canvas.getBoundingClientRect().top + at[1], ...describe(point)));
      find("place").textContent = `${ids[point]}: ${itemOf[point] >= 0 ? verdict(itemOf[point]) : "training image"}`;
    }
    let held = null;
    canvas.addEventListener("pointerdown", event => {
      held = [event.clientX, event.clientY];
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", event => {
      if (held && event.buttons) {
        move(event.clientX - held[0], event.clientY - held[1]);
        held = [event.clientX, event.clientY];
        return hideTip();
      }
      const point = nearest(...place(event));
      if (point < 0) hideTip();
      else showTip(event.clientX, event.clientY, ...describe(point));
      if (picked.point !== point) {
        picked.point = point;
        ring();
      }
    });
    canvas.addEventListener("pointerup", () => (held = null));
    canvas.addEventListener("pointerleave", hideTip);
    canvas.addEventListener("wheel", event => {
      if (!event.ctrlKey && document.activeElement !== canvas) return;
      event.preventDefault();
      zoomBy(Math.exp(-event.deltaY / 400), place(event));
    }, { passive: false });
    canvas.addEventListener("dblclick", event => zoomBy(2, place(event)));
    const keys = {
      ArrowLeft: () => move(40, 0), ArrowRight: () => move(-40, 0), ArrowUp: () => move(0, 40), ArrowDown: () => move(0, -40),
      "+": () => zoomBy(1.4), "=": () => zoomBy(1.4), "-": () => zoomBy(1 / 1.4), 0: whole,
      n: () => step(1), p: () => step(-1),
    };
    function step(by) {
      if (!mistakes.length) return;
      const now = mistakes.indexOf(picked.point);
      show(mistakes[(now + by + mistakes.length + (now < 0 && by < 0 ? 1 : 0)) % mistakes.length]);
    }
    canvas.addEventListener("keydown", event => {
      if (!keys[event.key] || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      keys[event.key]();
    });
    find("in").addEventListener("click", () => zoomBy(1.6));
    find("out").addEventListener("click", () => zoomBy(1 / 1.6));
    find("whole").addEventListener("click", whole);
    for (const id of ["trained", "only-wrong"]) find(id).addEventListener("change", later);

    function highlight(number) {
      picked.class = picked.class === number ? -1 : number;
      for (const chip of document.querySelectorAll(".chip")) chip.setAttribute("aria-pressed", +chip.dataset.class === picked.class);
      later();
    }
    function legend() {
      if (values || !classes.length) return;
      if (classes.length <= few.length) {
        classes.forEach((name, number) => {
          const chip = make("button", "chip"), dot = make("i");
          chip.type = "button";
          chip.dataset.class = number;
          chip.setAttribute("aria-pressed", false);
          dot.style.background = paint(number);
          chip.append(dot, make("bdi", "", name));
          chip.addEventListener("click", () => highlight(number));
          find("legend").append(chip);
        });
        return;
      }
      const label = make("label", "control", "Highlight "), select = make("select");
      select.id = "highlight";
      select.append(make("option", "", "all classes"));
      select.firstChild.value = -1;
      classes.forEach((name, number) => {
        const option = make("option", "", name);
        option.value = number;
        select.append(option);
      });
      select.addEventListener("change", () => {
        picked.class = +select.value;
        later();
      });
      label.append(select);
      find("legend").append(label);
    }
    legend();
    return {
      draw: () => {
        sprites = new Map();
        draw();
      },
      show,
    };
  }

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
})();
