/* The test images with what they are and were taken for; what is said of an image. */
const colourClass = uint16(data.colours);
const items = {
  points: uint32(data.items.points), true: uint16(data.items.true), taken: uint16(data.items.taken),
  trueScores: numbers(data.items.trueScores), takenScores: numbers(data.items.takenScores), wrong: bytes(data.items.wrong),
};
const isWrong = new Uint8Array(ids.length), itemOf = new Int32Array(ids.length).fill(-1);
items.points.forEach((point, item) => {
  if (itemOf[point] < 0) itemOf[point] = item;
  if (items.wrong[item]) isWrong[point] = 1;
});
const verdict = item => {
  const [true_, taken] = [items.true[item], items.taken[item]];
  if (data.kind === "number") return `true ${round(items.trueScores[item])}, predicted ${round(items.takenScores[item])}`;
  if (data.kind === "labels") return `wrong about ${className(true_ === NONE ? taken : true_)}`;
  return items.wrong[item] ? `${className(true_)}, taken for ${className(taken)}` : `${className(true_)}, rightly`;
};
function describe(point) {
  const known = itemOf[point] >= 0 ? verdict(itemOf[point]) : point < data.tested ? "test image" : "";
  const of = colourClass[point] === NONE ? "training image" : `training image of ${className(colourClass[point])}`;
  const words = known || of;
  const shown = tiles[point] === NONE ? [] : [picture(point, 120)];
  const bold = make("p");
  bold.append(make("b", "", words));
  return [...shown, bold, make("p", "", ids[point])];
}
