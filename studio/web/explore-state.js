// Where the visitor is in Explore: all of it goes into the requests and into the address of the page, so that
// a link shows the same and the server keeps nothing.
import { asked, remember, settled } from "./main.js";

export const STEPS = 5;
export const EACH = "each";
export const LAST_SEED = 2 ** 31 - 1;
const INTERPOLATIONS = ["spherical", "linear"]; // "": the one that suits the model's noise
const FIRST = { t: 0, interpolation: "", seed: 0, label: EACH, a: 0, b: 1 };

/** Whether a value is a seed that the server takes. */
export const isSeed = (value) => Number.isInteger(value) && value >= 0 && value <= LAST_SEED;

export const state = restored();

function restored() {
  const query = asked();
  const number = (text, low, high, otherwise) => {
    const value = Number.parseFloat(text);
    return value >= low && value <= high ? value : otherwise;
  };
  const d = (query.d ?? "").split(",");
  return {
    model: query.model ?? "",
    t: number(query.t, 0, 1, FIRST.t),
    interpolation: INTERPOLATIONS.includes(query.interpolation) ? query.interpolation : FIRST.interpolation,
    seed: Math.floor(number(query.seed, 0, LAST_SEED, FIRST.seed)),
    oddSeed: query.seed && !isSeed(Number(query.seed)) ? query.seed : "", // in a link, and no seed
    label: query.label ?? EACH,
    a: Math.floor(number(query.a, 0, 999, FIRST.a)),
    b: Math.floor(number(query.b, 0, 999, FIRST.b)),
    d: Array.from({ length: STEPS }, (_, i) => number(d[i], -4, 4, 0)),
  };
}

/** Put the state into the address; what is as at first is left out. `first` is the model shown at first. */
export function write(first) {
  const values = Object.fromEntries(
    Object.entries(FIRST).map(([key, value]) => [key, state[key] === value ? null : state[key]]),
  );
  const d = state.d.some(Boolean) ? state.d.join(",") : null;
  remember({ ...values, d, model: state.model === first ? null : state.model });
}
export const writeSoon = settled(write, 300);

/** Where the server has the "image", "strip" or "grid" of `model` for this state. */
export function address(kind, model, more = {}) {
  const query = { model: model.name, v: model.version, seed: state.seed, ...more };
  if (state.label !== EACH) query.label = state.label;
  if (kind !== "grid") {
    Object.assign(query, { a: state.a, b: state.b });
    if (state.interpolation) query.interpolation = state.interpolation;
    if (state.d.some(Boolean)) query.d = state.d.join(",");
  }
  if (kind === "image") query.t = state.t;
  return `studio/explore/${kind}?${new URLSearchParams(query)}`;
}
