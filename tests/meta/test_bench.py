"""What the benchmarks share: how figures are made of measurements, and where they are kept."""

from pathlib import Path

import pytest

from bench.support import report
from bench.support.report import Report
from bench.support.statistics import Spread, figure, ratios, spread
from store.cli.dev import benchmarks
from store.core.settings import ROOT
from tests.support.load_generator import is_whole
from tests.support.percentiles import percentile


def test_every_benchmark_has_its_place_in_the_readme() -> None:
    said = (ROOT / "bench/README.md").read_text("utf-8")

    assert "webhooks" in benchmarks()
    assert "support" not in benchmarks()
    assert [name for name in benchmarks() if name.replace("_", "-") not in said] == []


def test_a_ratio_is_taken_turn_by_turn() -> None:
    assert ratios([10, 20, 90], [5, 20, 30]) == Spread(1, 2, 3)
    assert str(spread([5812.4, 12, 0.0431])) == "12.0 (0.0431–5,812)"
    assert [figure(0), figure(0.5), figure(1.268)] == ["0.00", "0.50", "1.27"]


def test_a_percentile_is_one_of_the_figures() -> None:
    assert [percentile(range(1, 101), percent) for percent in (50, 99, 100)] == [50, 99, 100]
    assert (percentile([7], 99), percentile([], 99)) == (7, 0)


def test_a_report_takes_the_place_of_the_last_one_and_of_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "BENCH", tmp_path / "bench")
    monkeypatch.setattr(report, "README", tmp_path / "README.md")
    monkeypatch.setattr(report, "RESULTS", tmp_path / "bench")
    marks = "<!-- {0}: made by its run -->\n<!-- end of {0} -->"
    (tmp_path / "README.md").write_text(f"{marks.format('one')}\n{marks.format('two')}\n", "utf-8")

    for ratio in ("0.50", "0.60"):
        report.publish(a_report(ratio), dry=False)

    said = (tmp_path / "README.md").read_text("utf-8")
    assert "0.50" not in said
    assert said.count("| sqlite | 0.60 |") == 1
    assert said.endswith(f"{marks.format('two')}\n")
    assert (tmp_path / "bench/one.json").exists()


def a_report(ratio: str) -> Report:
    machine = {"processor": "P", "cores": 2, "system": "S", "python": "3", "load_average": 0.1}
    machine |= {"sync_milliseconds": 1, "measured_at": "now"}
    return Report("one", machine, ["database", "ratio"], [["sqlite", ratio]])


def test_an_answer_is_over_when_its_length_or_its_last_chunk_has_come() -> None:
    sized = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"

    for whole in (sized, chunked):
        assert is_whole(whole)
        assert not any(is_whole(whole[:end]) for end in range(len(whole)))
