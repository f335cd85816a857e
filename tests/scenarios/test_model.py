"""Random sequences over HTTP against a model of who may see what.

python -m pytest tests/scenarios/test_model.py     # the same fifty sequences each time
MODEL_EXAMPLES=5000 python -m pytest --timeout 0 tests/scenarios/test_model.py     # as many others
"""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.support.sequences import CHOSEN, EXAMPLES, MORE, VIEWS, reached
from tests.support.sequences_desk import Sequences


@pytest.fixture(scope="module")
def machine(sqlite_template: Path) -> type[Sequences]:
    Sequences.template = sqlite_template
    return Sequences


@pytest.mark.parametrize("examples", [EXAMPLES, pytest.param(MORE, marks=pytest.mark.world)])
def test_no_sequence_gets_what_the_model_does_not_let_it(machine: type[Sequences], examples: int) -> None:
    run_state_machine_as_test(machine, settings=settings(CHOSEN, max_examples=examples))
    wanted = {"a code", "a key", "activation", "an app", "a new key", "a removal", *(f"sees {view}" for view in VIEWS)}
    wanted |= {
        "a recovery code",
        "new recovery codes",
        "desk: letter",
        "desk: ask",
        "desk: approved",
        "desk: a code spoken",
        "a step again",
        "late",
        "foreign",
        "rolled back",
    }
    assert wanted <= reached.keys(), f"the sequences never came to {wanted - reached.keys()}"
