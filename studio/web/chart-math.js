// The arithmetic of a chart: round ticks, readable numbers, ranges, the nearest point.

/** About `count` round numbers that cover low..high. */
export function ticks(low, high, count) {
  const span = high - low;
  if (!(span > 0)) return [low];
  const rough = span / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find((m) => m * power >= rough * 0.999) ?? 10);
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, i) => (first + i) * step);
}

/** A number as a reader wants it: 1.213, 0.008, 12,300 as 12.3k. */
export function number(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size >= 1e6) return `${trim(value / 1e6)}M`;
  if (size >= 1e4) return `${trim(value / 1e3)}k`;
  return trim(value);
}

function trim(value) {
  const size = Math.abs(value);
  if (size > 0 && size < 1e-4) return value.toExponential(1);
  return String(Number(value.toPrecision(size >= 1000 ? 4 : 3)));
}

/** The words of ticks: as short as `number` has them, but no two alike. */
export function tickWords(values) {
  const short = values.map(number);
  if (new Set(short).size === values.length) return short;
  const step = values[1] - values[0];
  const digits = Math.max(0, Math.ceil(-Math.log10(step) - 1e-9));
  return values.map((value) => value.toLocaleString(undefined, { minimumFractionDigits: digits, maximumFractionDigits: digits }));
}

const PLAYERS = { D: 0, "D(x)": 0, real: 0, G: 1, "D(G(z))": 1, fake: 1 };

/** The colour of a curve, 0 to 5: D's and real data's is 0 and G's is 1 in every chart, others take the rest. */
export function colour(name, place) {
  return PLAYERS[name] ?? 2 + (place % 4);
}

/** The height at `at` of the line that is drawn from each point to the next; nothing where there is none. */
function heightAt({ x, y }, at) {
  const i = x.findIndex((step) => step > at);
  const [a, b] = [y[i - 1] ?? null, y[i] ?? null];
  return i < 1 || a === null || b === null ? [] : [a + ((b - a) * (at - x[i - 1])) / (x[i] - x[i - 1])];
}

/** The range to draw the curves in within x0..x1: a little air, no exaggeration. */
export function extent(curves, x0, x1) {
  const heights = curves.flatMap((curve) => [
    ...curve.y.filter((y, i) => y !== null && curve.x[i] >= x0 && curve.x[i] <= x1),
    ...heightAt(curve, x0), ...heightAt(curve, x1), // a line may pass between two points that are both out of sight
  ]);
  const [low, high] = [Math.min(...heights), Math.max(...heights)];
  if (low > high) return [0, 1];
  const span = high - low;
  const air = span * 0.06 || Math.abs(high) * 0.1 || 0.5;
  if (low >= 0 && low < span * 0.5) return [0, high + air]; // curves that come near 0 show it
  if (low > 0 && span < high * 0.3) return [Math.min(low - air, high * 0.7), high + air]; // a ripple looks like one
  return [low - air, high + air];
}

/** The range from the least to the greatest of `steps`; some room around a single one. */
export function span(steps) {
  if (!steps.length) return [0, 1];
  const [first, last] = [Math.min(...steps), Math.max(...steps)];
  return first < last ? [first, last] : [last - 1, last + 1];
}

/**
 * How a curve is drawn: `line`, an SVG path that is broken where a value is missing, and `dots`, the places of points
 * that stand alone. `place(x, y)` gives pixels; what lies further than `margin` outside of x0..x1 is left out.
 */
export function trace({ x, y }, [x0, x1], margin, place) {
  const near = (i) => (x[i + 1] ?? x[i]) >= x0 - margin && (x[i - 1] ?? x[i]) <= x1 + margin;
  const there = (i) => i >= 0 && i < x.length && y[i] !== null && near(i);
  let line = "";
  const dots = [];
  for (let i = 0; i < x.length; i += 1) {
    if (!there(i)) continue;
    const at = place(x[i], y[i]);
    if (there(i - 1) || there(i + 1)) line += `${there(i - 1) ? "L" : "M"}${at.map((value) => value.toFixed(1)).join(" ")}`;
    else dots.push(at);
  }
  return { line, dots };
}

/** Index of the entry of sorted `x` that is nearest to `at` and within x0..x1; undefined where none is. */
export function nearestWithin(x, at, x0, x1) {
  const i = nearest(x, at);
  return [i, i - 1, i + 1].find((j) => x[j] >= x0 && x[j] <= x1);
}

/** Index of the entry of sorted `x` nearest to `at`. */
export function nearest(x, at) {
  let low = 0;
  let high = x.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (x[middle] < at) low = middle;
    else high = middle;
  }
  return high >= 0 && Math.abs(x[high] - at) < Math.abs(x[low] - at) ? high : low;
}

/** `value` moved into low..high. */
export function clamp(value, low, high) {
  return Math.min(high, Math.max(low, value));
}
