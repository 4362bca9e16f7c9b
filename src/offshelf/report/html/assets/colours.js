/* The colours of the points of the map: by class, or graded by number. */
function makeColours(count) {
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

  const pixels = new Map();
  /* A colour, mixed with that of the paper, as a pixel. */
  function pixelOf(css, share) {
    const name = `pixel/${css}/${share}`;
    if (pixels.has(name)) return pixels.get(name);
    const probe = make("canvas"), context = probe.getContext("2d", { willReadFrequently: true });
    probe.width = probe.height = 1;
    context.fillStyle = colour("--paper");
    context.fillRect(0, 0, 1, 1);
    context.globalAlpha = share;
    context.fillStyle = css;
    context.fillRect(0, 0, 1, 1);
    pixels.set(name, new Uint32Array(context.getImageData(0, 0, 1, 1).data.buffer)[0]);
    return pixels.get(name);
  }
  return { few, hues, isGraded: Boolean(values), paint, pixelOf, forget: () => pixels.clear() };
}
