"""A short storm; `python -m tests.e2e.storm --seconds 60 --runs 10` is the long one."""

from pathlib import Path

import pytest

from tests.e2e.storm import Storm, verdict
from tests.support.databases import Postgres


@pytest.mark.scenario("E3", "E7", "H4")
def test_killing_two_of_each_process_leaves_shop_and_stripe_in_agreement(
    postgres: Postgres, tmp_path: Path
) -> None:
    storm = Storm(postgres, tmp_path, seed=7)
    try:
        comparison = storm.run(seconds=6, least_kills=8)
        assert verdict(storm, comparison) == []
    finally:
        storm.close()

    assert storm.counts["database crashes"] == 1
    assert any(entry.ours.total.paid_amount > 0 for entry in comparison.entries)
