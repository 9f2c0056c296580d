"""The tables in one view, and the check that a configuration asks for what exists."""

import dataclasses

import pytest

from gan_core.catalog import check, check_name, choices, tables
from gan_core.config import from_mapping, knobs
from gan_core.data import DATASETS
from gan_core.errors import ConfigError
from gan_core.messages import ENGLISH
from gan_core.networks import NETWORKS


def config(**values):
    return from_mapping({"steps": 1, **values})


def beside(name, row):
    """What a row of the setting `name` needs: points have a network and a size of their own."""
    points = {"network": "mlp-2d", "size": 1}
    if name == "dataset" and DATASETS[row].mixture:
        return points
    if name == "network":
        sizes = NETWORKS[row].sizes
        return {"size": sizes[0]} | ({"dataset": "ring"} if sizes == (1,) else {})
    return {}


def test_every_table_has_rows_a_word_for_one_and_summaries():
    assert {knob.table for knob in knobs().values() if knob.table} <= set(tables())
    assert {f"what.{name}" for name in tables()} <= set(ENGLISH)
    for table in tables().values():
        assert table
        for name, row in table.items():
            assert name == name.lower() and " " not in name
            assert row.summary.endswith((".", "?"))


def test_choices_come_from_the_table_or_the_setting():
    assert choices("dataset") == tuple(tables()["datasets"])
    assert choices("size") == (1, 16, 28, 32, 64, 128)
    assert choices("batch") == ()


@pytest.mark.parametrize("name", [name for name, knob in knobs().items() if knob.table])
def test_every_row_is_accepted_and_a_slip_is_answered(name):
    table = tables()[knobs()[name].table]
    for row in table:
        assert check(config(**{name: row}, **beside(name, row))).steps == 1
        slip = row[:-1] + row[-1] * 2
        with pytest.raises(ConfigError, match=f"did you mean '{row}'"):
            check(config(**{name: slip}))


def test_all_unknown_names_come_at_once():
    with pytest.raises(ConfigError) as caught:
        check(config(dataset="mnits", loss="nonsaturating"))
    assert [problem.field for problem in caught.value.problems] == ["dataset", "loss"]


@pytest.mark.parametrize("name", tables()["networks"])
def test_a_size_that_the_network_does_not_have_is_refused(name):
    others = {key: value for key, value in beside("network", name).items() if key != "size"}
    assert all(check(config(network=name, size=size, **others)) for size in NETWORKS[name].sizes)
    pictures = f"{name} makes pictures of [0-9, ]+ pixels, not 48"
    said = f"{name} draws points, and their size is 1, not 48" if NETWORKS[name].sizes == (1,) else pictures
    with pytest.raises(ConfigError, match=said):
        check(dataclasses.replace(config(network=name), size=48))


def test_a_name_by_itself():
    assert check_name("datasets", "glyphs") == "glyphs"
    with pytest.raises(ConfigError, match="There is no data set named 'mnsit'; did you mean 'mnist'"):
        check_name("datasets", "mnsit")
