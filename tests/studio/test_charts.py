"""One chart a group, at most 500 points a curve, spikes kept, no metric known by name."""

from __future__ import annotations

import ast
import json
import math
from pathlib import Path

from studio import charts
from studio.charts import LIMIT, Columns


def filled(count: int, value=lambda step: {"loss/D": 1.0}) -> Columns:
    columns = Columns()
    columns.add({"step": step, **value(step)} for step in range(count))
    return columns


def test_a_metric_of_any_name_becomes_a_curve_in_the_chart_of_its_group() -> None:
    drawn = filled(3, lambda s: {"zebra/stripes": s, "zebra/spots": 2 * s, "loss/D": 1, "images": 9}).charts()
    assert [(c["group"], [k["name"] for k in c["curves"]]) for c in drawn] == [
        ("zebra", ["stripes", "spots"]), ("loss", ["D"]),
    ]  # fmt: skip
    assert drawn[0]["curves"][1] == {"name": "spots", "x": [0, 1, 2], "y": [0, 2, 4]}


def test_a_metric_that_begins_late_starts_at_its_own_step() -> None:
    columns = filled(5)
    columns.add([{"step": 5, "score/frechet": 12.5}])
    assert columns.charts()[1]["curves"] == [{"name": "frechet", "x": [5], "y": [12.5]}]


def test_long_runs_are_thinned_and_the_spike_stays() -> None:
    columns = filled(20_000, lambda s: {"gradient/G": 77.0 if s == 12_345 else 1.0})
    (curve,) = columns.charts()[0]["curves"]
    assert len(curve["x"]) == len(curve["y"]) <= LIMIT == 500
    assert (curve["x"][0], curve["x"][-1]) == (0, 19_999)
    assert curve["y"][curve["x"].index(12_345)] == 77.0


def test_what_is_no_number_is_a_gap_and_valid_json() -> None:
    values = [1.0, math.nan, None, "x", math.inf, 2.0]
    columns = filled(6, lambda s: {"loss/D": values[s]})
    drawn = columns.charts()
    assert drawn[0]["curves"][0]["y"] == [1.0, None, None, None, None, 2.0]
    json.dumps(drawn, allow_nan=False)


def drawn(columns: Columns) -> dict[str, list[tuple[float, float | None]]]:
    """The points of every curve by its name."""
    curves = [curve for chart in columns.charts() for curve in chart["curves"]]
    return {curve["name"]: list(zip(curve["x"], curve["y"])) for curve in curves}


def test_what_a_run_lost_when_it_went_back_to_a_checkpoint_is_not_drawn() -> None:
    columns = filled(5, lambda s: {"loss/D": 10 + s, "loss/G": 20 + s})
    columns.add([{"step": 2, "quality/frechet": 9.0}, {"step": 4, "quality/frechet": 8.0}], "scores")
    assert drawn(columns)["frechet"] == [(2, 9), (4, 8)]
    columns.add([{"back_to": 3}])
    columns.add([{"back_to": 3}], "scores")
    assert columns.worth_drawing(), "a curve that became shorter looks different"
    curves = drawn(columns)
    assert curves["D"] == [(0, 10), (1, 11), (2, 12), (3, 13)] and curves["frechet"] == [(2, 9)]
    columns.add([{"step": 4, "loss/D": 40, "loss/G": 41}])
    assert drawn(columns)["G"][-2:] == [(3, 23), (4, 41)]
    columns.add([{"back_to": 0}], "scores")
    assert "frechet" not in drawn(columns), "all of it is lost"
    assert drawn(columns)["D"][-1] == (4, 40), "the other file says nothing of it"


def test_a_file_of_before_says_by_its_steps_that_the_run_went_back() -> None:
    columns = filled(5, lambda s: {"loss/D": 10 + s, "loss/G": 20 + s})
    columns.add([{"step": 2.5, "loss/D": 30, "loss/G": 31}, {"step": 4, "loss/D": 40, "loss/G": 41}])
    assert drawn(columns)["D"] == [(0, 10), (1, 11), (2, 12), (2.5, 30), (4, 40)]
    columns.add([{"step": 0, "loss/D": 50, "loss/G": 51}])
    assert drawn(columns) == {"D": [(0, 50)], "G": [(0, 51)]}


def test_of_steps_made_again_after_a_checkpoint_the_last_value_is_drawn() -> None:
    columns = filled(5)
    columns.add([{"step": 3, "loss/D": 9.0}])
    assert columns.charts()[0]["curves"] == [{"name": "D", "x": [0, 1, 2, 3], "y": [1, 1, 1, 9]}]
    columns.add([{"step": 3.5, "loss/D": 7.0}, {"step": 4, "loss/D": None}, {"step": 5, "loss/D": 2.0}])
    (curve,) = columns.charts()[0]["curves"]
    assert curve == {"name": "D", "x": [0, 1, 2, 3, 3.5, 4, 5], "y": [1, 1, 1, 9, 7, None, 2]}


def test_resting_lines_appear_only_for_curves_that_are_there() -> None:
    columns = filled(2)
    assert columns.charts({"loss": {"D": 1.386, "G": 0.693}})[0]["lines"] == [{"name": "D", "value": 1.386}]
    assert columns.charts()[0]["lines"] == []


def test_charts_are_drawn_again_only_when_they_would_look_different() -> None:
    columns = filled(5_000)
    assert columns.worth_drawing()
    columns.charts()
    columns.add([{"step": 5_001, "loss/D": 1.0}])
    assert not columns.worth_drawing()
    columns.add({"step": 5_002 + i, "loss/D": 1.0} for i in range(10))
    assert columns.worth_drawing()


def test_the_source_names_no_metric() -> None:
    tree = ast.parse(Path(charts.__file__).read_text("utf-8"))
    docs = {ast.get_docstring(n, clean=False) for n in ast.walk(tree)
            if isinstance(n, (ast.Module, ast.ClassDef, ast.FunctionDef))}  # fmt: skip
    strings = [n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
    named = [s for s in strings if s not in docs and ("loss" in s or "accuracy" in s or "gradient" in s)]
    assert named == []


def test_a_run_without_end_and_names_without_end_fill_no_memory(monkeypatch) -> None:
    monkeypatch.setattr(charts, "KEPT", 100)
    monkeypatch.setattr(charts, "MOST", 5)
    columns = charts.Columns()
    columns.add({"step": step, "loss/D": step / 2} for step in range(1000))
    columns.add({"step": 1000 + i, f"made/{i}": 1.0} for i in range(50))
    drawn = {curve["name"]: curve for chart in columns.charts() for curve in chart["curves"]}
    assert len(drawn) == 5
    x, y = drawn["D"]["x"], drawn["D"]["y"]
    assert len(x) <= 100 and x[0] == 0 and x[-1] >= 990 and x == sorted(x)
    assert [2 * value for value in y] == x
