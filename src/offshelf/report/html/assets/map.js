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

  const { few, hues, isGraded, paint, pixelOf, forget } = makeColours(count);

  function sprite(kind, hue, ratio) {
    const name = `${kind}/${hue}`;
    if (sprites.has(name)) return sprites.get(name);
    const radius = { train: 2.2, test: 3.8, wrong: 4.2, pale: 2 }[kind], half = radius + 3;
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
    const [hasTrained, isOnlyWrong] = [find("trained").checked, find("only-wrong")?.checked];
    for (let point = 0; point < count; point++) {
      const isTested = point < data.tested;
      const isShown = (isTested || hasTrained) && (!isOnlyWrong || isWrong[point]);
      const own = picked.class >= 0 && colourClass[point] !== picked.class ? 0 : isWrong[point] ? 3 : isTested ? 2 : 1;
      layers[point] = isShown ? own : 255;
    }
  }
  /* Calls `put(point, x, y)` for each shown point of a layer, and `change(hue)` before the first of each hue. */
  function eachOf(layer, change, put) {
    const size = scale(), [left, top] = [width / 2 - view.x * size, height / 2 + view.y * size];
    let hue = null;
    for (let number = 0; number < count; number++) {
      const point = byHue[number];
      if (layers[point] !== layer) continue;
      const x = left + xs[point] * size, y = top - ys[point] * size;
      if (x < -9 || y < -9 || x > width + 9 || y > height + 9) continue;
      if (hue !== hues[point]) change((hue = hues[point]));
      put(x, y);
    }
  }
  function drawDiscs(context, ratio) {
    LAYERS.forEach((kind, layer) => {
      let image = null, half = 0;
      const change = hue => ({ image, half } = sprite(kind, layer ? hue : 0, ratio));
      eachOf(layer, change, (x, y) => context.drawImage(image, x - half, y - half, 2 * half, 2 * half));
    });
  }
  /* Many points are written as pixels, which takes a tenth of the time of drawing discs. */
  function drawPixels(context, ratio) {
    const [wide, high] = [canvas.width, canvas.height], image = context.createImageData(wide, high);
    const pixels = new Uint32Array(image.data.buffer), ink = pixelOf(colour("--ink"), 1);
    const disc = radius => {
      const offsets = [], reach = Math.ceil(radius);
      for (let y = -reach; y <= reach; y++) for (let x = -reach; x <= reach; x++) if (x * x + y * y <= radius * radius) offsets.push(x, y);
      return offsets;
    };
    const fill = (offsets, x, y, value) => {
      for (let one = 0; one < offsets.length; one += 2) {
        const column = x + offsets[one], row = y + offsets[one + 1];
        if (column >= 0 && row >= 0 && column < wide && row < high) pixels[row * wide + column] = value;
      }
    };
    LAYERS.forEach((kind, layer) => {
      const inner = disc([1.1, 1.1, 2.1, 2.3][layer] * ratio), outer = disc(3.5 * ratio);
      let value = 0;
      const change = hue => (value = layer ? pixelOf(paint(hue), layer === 1 ? 0.55 : 0.9) : pixelOf(colour("--line"), 1));
      eachOf(layer, change, (x, y) => {
        const [column, row] = [Math.round(x * ratio), Math.round(y * ratio)];
        if (layer === 3) fill(outer, column, row, ink);
        fill(inner, column, row, value);
      });
    });
    context.putImageData(image, 0, 0);
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
    if (count > MANY) drawPixels(context, ratio);
    else drawDiscs(context, ratio);
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
  const centres = classes.length <= 30 && !isGraded ? classes.map((_, number) => centre(number)) : [];
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
    const drawn = []; // names that would lie on another one are left out; zooming in brings them
    centres.forEach((place, number) => {
      if (!place || (picked.class >= 0 && picked.class !== number)) return;
      const name = classes[number].length > 18 ? `${classes[number].slice(0, 17)}…` : classes[number];
      const [at, y] = [width / 2 + (place[0] - view.x) * scale(), height / 2 - (place[1] - view.y) * scale()];
      const half = context.measureText(name).width / 2 + 4;
      const x = at > 0 && at < width ? Math.max(half, Math.min(width - half, at)) : at;
      if (drawn.some(([left, top, reach]) => Math.abs(left - x) < reach + half && Math.abs(top - y) < 15)) return;
      drawn.push([x, y, half]);
      context.strokeStyle = colour("--paper");
      context.strokeText(name, x, y + 4);
      context.fillStyle = colour("--ink");
      context.fillText(name, x, y + 4);
    });
  }
  const later = () => (frame ||= requestAnimationFrame(draw));

  function nearest(x, y, reach = 14) {
    grid ??= makeGrid(xs, ys, span);
    const size = scale(), at = [view.x + (x - width / 2) / size, view.y - (y - height / 2) / size];
    return grid(at, reach / size, point => layers[point] && layers[point] !== 255);
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
  for (const id of ["trained", "only-wrong"]) find(id)?.addEventListener("change", later);

  function highlight(number) {
    picked.class = picked.class === number ? -1 : number;
    for (const chip of document.querySelectorAll(".chip")) chip.setAttribute("aria-pressed", +chip.dataset.class === picked.class);
    later();
  }
  function legend() {
    if (isGraded || !classes.length) return;
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
      forget();
      draw();
    },
    show,
  };
}
