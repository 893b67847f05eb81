"""H1: thousands of random steps, every rule of money held after each."""

import gc
import os
import shutil
import time
from pathlib import Path

import pytest

from tests.simulation.invariants import Books
from tests.simulation.stage import set_up
from tests.simulation.world import Tally, World

STEPS = int(os.environ.get("WORLD_STEPS", "2000"))
SEED = os.environ.get("WORLD_SEED", "1")
CHAPTER = 500
"""A world begins anew after so many steps, so that the steps of a long run cost the same."""


def chapters() -> list[tuple[str, int]]:
    """The seed and the length of each world."""
    seeds = SEED.split(",")
    lengths = [min(CHAPTER, STEPS - start) for start in range(0, STEPS, CHAPTER)]
    return [
        (f"{seed}/{number}" if "/" not in seed else seed, steps)
        for seed in seeds
        for number, steps in enumerate(lengths)
    ]


@pytest.mark.scenario("H1")
def test_no_random_world_charges_twice_or_loses_anything(
    tmp_path: Path, sqlite_template: Path, tally: Tally, report: list[str]
) -> None:
    started = time.perf_counter()
    gc.freeze()  # a third of the time would go into looking for garbage
    gc.disable()
    for number, (seed, steps) in enumerate(chapters()):
        folder = tmp_path / str(number)
        folder.mkdir()
        shutil.copy(sqlite_template, folder / "store.db")
        tally.add(live(f"sqlite:///{(folder / 'store.db').as_posix()}", folder, seed, steps))
        gc.collect()
    gc.enable()
    gc.unfreeze()
    report.append(
        f"simulated {tally.steps:,} steps, {tally.payments:,} payments, {tally.crashes:,} crashes, "
        f"{tally.meanwhile:,} acts in the middle of others; {tally.checks:,} checks, "
        f"{tally.audits} audits: 0 lost, 0 double (seed {SEED}, "
        f"{time.perf_counter() - started:.1f} s)"
    )


def live(database_url: str, folder: Path, seed: str, steps: int) -> Tally:
    """One world from its first step to its audit; where it fails, how to see it again."""
    with set_up(database_url, folder) as stage:
        books = Books(stage, database_url)
        world = World(stage, books, seed)
        try:
            world.run(steps)
        except BaseException as failure:  # noqa: BLE001 - the history is what explains it
            told = "\n".join(world.history[-60:])
            pytest.fail(
                f"{type(failure).__name__}: {failure}\nafter step {world.tally.steps}; again with "
                f"WORLD_SEED={seed} WORLD_STEPS={steps}\n{told}",
                pytrace=bool(os.environ.get("WORLD_TRACE")),
            )
        finally:
            stage.points.act = lambda _place: None
            books.close()
        return world.tally
