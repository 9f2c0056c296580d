// One feed a view: it asks the server for its run's news by revision number and hands them to the view's elements.
//
// It asks only while one of them is on screen, at the pace the server names, and holds back after "too many
// requests".

const BASE = new URL("../", import.meta.url); // .../studio/
const BACK_OFF = 12_000;
const LOOK = 250; // between looks whether anything is on screen again

class Feed {
  constructor() {
    this.elements = new Set();
    this.watchers = new Set();
    this.run = "";
    this.turn = 0; // counts shows, so that a late answer about the run before is dropped
  }

  /** Turn all elements of this view to another run ("" for none). */
  show(run) {
    if (run === this.run) return;
    this.run = run ?? "";
    this.turn += 1;
    this.data = null;
    this.rev = 0;
    for (const element of this.elements) element.reset();
    for (const watcher of this.watchers) watcher(null);
    clearTimeout(this.timer);
    this.poll(this.turn);
  }

  add(element) {
    this.elements.add(element);
    element.reset();
    this.rev = 0; // the next answer brings everything, charts too
    if (this.data) element.render(this.data);
  }

  async poll(turn) {
    if (turn !== this.turn || !this.run) return;
    let wait = BACK_OFF / 4;
    try {
      wait = this.onScreen() ? await this.ask(turn) : LOOK;
    } catch (error) {
      console.error(error); // an answer cut short, or one that cannot be shown: the next may be whole
    } finally {
      if (turn === this.turn) this.timer = setTimeout(() => this.poll(turn), wait);
    }
  }

  onScreen() {
    return !document.hidden && [...this.elements].some((element) => element.offsetParent !== null);
  }

  /** Ask once, hand the news round; milliseconds until the next time. */
  async ask(turn) {
    const charts = [...this.elements].some((element) => element.wantsCharts);
    const query = new URLSearchParams({ run: this.run, rev: this.rev, charts: charts ? 1 : 0 });
    let answer;
    try {
      answer = await fetch(new URL(`live?${query}`, BASE));
    } catch {
      for (const element of this.elements) element.away(); // a laptop asleep, a restart
      return BACK_OFF / 4;
    }
    if (answer.status === 429 || answer.status >= 500) {
      if (answer.status >= 500) for (const element of this.elements) element.away();
      return BACK_OFF;
    }
    if (answer.status === 200) {
      const data = await answer.json();
      if (turn !== this.turn) return 0;
      this.data = data;
      const shown = this.hand(data);
      this.rev = shown ? data.rev : 0; // what could not be shown is asked for again
      if (!shown) return BACK_OFF / 4;
    } else if (answer.status !== 204) {
      for (const element of this.elements) element.gone();
      for (const watcher of this.watchers) watcher({ state: "gone" });
      return BACK_OFF;
    }
    return this.data?.pace ?? 1000;
  }

  /** Hand the news round; whether all could show them: one that cannot keeps them from nobody else. */
  hand(data) {
    let all = true;
    for (const show of [...[...this.elements].map((element) => () => element.render(data)), ...this.watchers]) {
      try {
        show(data);
      } catch (error) {
        console.error(error);
        all = false;
      }
    }
    return all;
  }
}

const feeds = new Map();

/** The feed of a view, "train" or "watch". */
export function feed(view) {
  if (!feeds.has(view)) feeds.set(view, new Feed());
  return feeds.get(view);
}
