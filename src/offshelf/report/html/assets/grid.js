/* Points by cells of a grid. Returns a function that finds the one nearest to a place, mistakes a little farther too. */
function makeGrid(xs, ys, span) {
  const CELLS = 128;
  const column = (value, low) => Math.max(0, Math.min(CELLS - 1, Math.floor(((value - low) / span) * CELLS)));
  const cellAt = (x, y) => column(y, data.y.low) * CELLS + column(x, data.x.low);
  const cell = Int32Array.from({ length: xs.length }, (_, point) => cellAt(xs[point], ys[point]));
  const starts = new Int32Array(CELLS * CELLS + 1);
  cell.forEach(one => starts[one + 1]++);
  for (let one = 0; one < CELLS * CELLS; one++) starts[one + 1] += starts[one];
  const next = starts.slice(), inside = new Int32Array(xs.length);
  cell.forEach((one, point) => (inside[next[one]++] = point));
  return function nearest([atX, atY], far, isFound) {
    let [best, least] = [-1, far * far];
    for (let row = column(atY - far, data.y.low); row <= column(atY + far, data.y.low); row++)
      for (let place = column(atX - far, data.x.low); place <= column(atX + far, data.x.low); place++)
        for (let one = starts[row * CELLS + place]; one < starts[row * CELLS + place + 1]; one++) {
          const point = inside[one];
          const away = ((xs[point] - atX) ** 2 + (ys[point] - atY) ** 2) * (isWrong[point] ? 0.6 : 1);
          if (away < least && isFound(point)) [best, least] = [point, away];
        }
    return best;
  };
}
