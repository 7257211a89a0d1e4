"""What circuit breakers in the field do, or should have done, done by this one in every form of a call."""

from __future__ import annotations

import pytest

from tests.scenarios import breaker_rows, half_open_rows
from tests.scenarios.breaker_steps import live
from tests.scenarios.forms import FORMS
from tests.scenarios.row import Row

ROWS = [*breaker_rows.ROWS, *half_open_rows.ROWS]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.title)
def test_a_breaker_lives_as_the_row_says(row: Row, form: str) -> None:
    """A breaker does what its row in the tables says, whatever form its calls have."""
    live(row, form)
