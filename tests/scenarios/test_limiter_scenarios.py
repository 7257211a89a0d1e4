"""What rate limiters in the field do, or should have done, done by the token bucket for every form of a caller."""

from __future__ import annotations

import pytest

from tests.scenarios.in_line import FORMS
from tests.scenarios.limiter_rows import ROWS
from tests.scenarios.limiter_steps import live
from tests.scenarios.row import Row


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.title)
def test_a_bucket_lives_as_the_row_says(row: Row, form: str) -> None:
    """A token bucket does what its row in the table says, whoever its callers are."""
    live(row, form)
