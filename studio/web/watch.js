// What Watch alone shows of a run: what the doctor says, and the curves.
//
//   <live-verdict view="watch">  his verdict, why, and a button that tries what helps
//   <live-charts view="watch">   the curves

import { Board } from "./chart.js";
import { word, wordOr } from "./language.js";
import { LiveElement, put } from "./live.js";

/** What the doctor says, why, and a button that tries what helps. */
class LiveVerdict extends LiveElement {
  reset() {
    this.replaceChildren();
    this.hidden = true;
    this.said = put(this, "p", { class: "verdict-text", role: "status" });
    const more = put(this, "details");
    put(more, "summary", {}, word("verdict.why"));
    this.why = put(more, "p");
    this.since = put(more, "p");
    this.changes = put(more, "p");
    this.cure = put(this, "button", { type: "button", class: "verdict-cure" }, word("verdict.cure"));
    this.cure.addEventListener("click", () => {
      document.getElementById(`${this.getAttribute("view")}-cure`)?.click();
      this.cure.disabled = true; // a second press would be a second run
      setTimeout(() => (this.cure.disabled = false), 3000);
    });
  }

  render({ verdict }) {
    this.hidden = !verdict;
    if (!verdict) return;
    this.dataset.kind = verdict.kind;
    this.dataset.grave = verdict.grave;
    const said = word("verdict.at", { step: verdict.step.toLocaleString(), text: verdict.text });
    if (this.said.textContent !== said) this.said.textContent = said;
    this.why.textContent = verdict.why;
    const { grave, since } = verdict;
    this.since.textContent = grave && since ? word("verdict.since", { step: since.toLocaleString() }) : "";
    this.changes.textContent = verdict.cure ? word("verdict.change", { changes: verdict.cure }) : "";
    this.cure.hidden = !verdict.cure;
    this.cure.title = this.changes.textContent;
  }
}

class LiveCharts extends LiveElement {
  wantsCharts = true;

  reset() {
    this.replaceChildren();
    this.board = new Board(this, wordOr);
    put(this, "p", { class: "live-none" }, word("live.no_curves"));
    put(this, "p", { class: "live-hint", hidden: "" }, word("watch.zoom.hint"));
  }

  render(data) {
    const { grave, curve, since } = data.verdict ?? {};
    const mark = grave && curve ? { group: curve.split("/")[0], step: since } : null;
    const moved = JSON.stringify(mark) !== JSON.stringify(this.board.mark);
    this.board.mark = mark;
    if (!data.charts) {
      if (moved) this.board.draw();
      return;
    }
    this.querySelector(".live-none").hidden = data.charts.length > 0;
    this.querySelector(".live-hint").hidden = data.charts.length === 0;
    this.board.update(data.charts);
  }
}

customElements.define("live-verdict", LiveVerdict);
customElements.define("live-charts", LiveCharts);
