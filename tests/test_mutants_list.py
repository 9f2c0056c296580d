"""tools/mutants.py keeps up with the code: what it breaks is there, and tests/mutants.md tells of it all."""

import re

import pytest

from tools.mutant_table import MUTANTS
from tools.mutants import ROOT, path_of_test


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.what)
def test_what_a_mutant_breaks_is_there(mutant):
    sound = (ROOT / mutant.path).read_text("utf-8")
    assert mutant.old in sound and mutant.old != mutant.new
    compile(sound.replace(mutant.old, mutant.new, 1), mutant.file, "exec")
    for name in mutant.tests.split():
        assert (ROOT / path_of_test(name)).is_file()


def test_the_list_tells_of_every_mutant_and_each_was_noticed():
    rows = (ROOT / "tests" / "mutants.md").read_text("utf-8").splitlines()
    told = {cells[1].strip(): cells[2:4] for row in rows if len(cells := row.split("|")) == 5}
    assert {mutant.what for mutant in MUTANTS} <= told.keys()
    for mutant in MUTANTS:
        where, noticed = (cell.strip() for cell in told[mutant.what])
        assert where == f"`{mutant.file}`", mutant.what
        assert re.fullmatch(r"`(?:studio/)?test_\w+\.py::.+`", noticed), mutant.what
