"""H1: thousands of random steps, every rule of money held after each.

WORLD_STEPS=10000 WORLD_SEED=7 makes a longer run of another seed; a failure says how to see it
again.
"""

import gc
import multiprocessing
import os
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.simulation.in_process_shop import set_up
from tests.simulation.invariants import Records
from tests.simulation.world import World
from tests.support import counting

STEPS = int(os.environ.get("WORLD_STEPS", "1000"))
SEED = os.environ.get("WORLD_SEED", "1")
CHAPTER = 500
"""A world begins anew after so many steps, so that the steps of a long run cost the same."""
WORTH_A_PROCESS = 4
"""So many worlds are enough to start processes for."""


class Doomed(Exception):
    """A world in which a rule was broken: which one, when, and how to see it again."""


def chapters() -> list[tuple[str, int]]:
    """The seed and the length of each world; a seed with a stroke is one world's own."""
    lengths = [min(CHAPTER, STEPS - start) for start in range(0, STEPS, CHAPTER)]
    return [
        (f"{seed}/{number}" if "/" not in seed else seed, steps)
        for seed in SEED.split(",")
        for number, steps in enumerate(lengths)
    ]


@pytest.mark.scenario("H1")
def test_no_random_world_charges_twice_or_loses_anything(
    tmp_path: Path, sqlite_template: Path
) -> None:
    started = time.perf_counter()
    worlds = [
        (sqlite_template, tmp_path / str(number), seed, steps)
        for number, (seed, steps) in enumerate(chapters())
    ]

    if len(worlds) < WORTH_A_PROCESS:
        for world in worlds:
            live(*world)
    else:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(os.cpu_count(), mp_context=context) as pool:
            for future in [pool.submit(live_elsewhere, *world) for world in worlds]:
                counting.take_in(future.result())

    counting.report(f"the worlds of seed {SEED} took {time.perf_counter() - started:.1f} s")


def test_the_same_seed_makes_the_same_world(tmp_path: Path, sqlite_template: Path) -> None:
    first, second = (live(sqlite_template, tmp_path / name, "again", 80) for name in "ab")

    assert len(first) > 80
    assert first == second


def live(template: Path, folder: Path, seed: str, steps: int) -> list[str]:
    """One world from its first step to its audit: what happened, in words."""
    folder.mkdir()
    shutil.copy(template, folder / "store.db")
    database_url = f"sqlite:///{(folder / 'store.db').as_posix()}"
    with unswept(), set_up(database_url, folder) as simulated:
        records = Records(simulated, database_url)
        world = World(simulated, records, seed)
        try:
            world.run(steps)
        except Exception as failure:
            lately = "\n".join(world.history[-60:])
            raise Doomed(
                f"{type(failure).__name__}: {failure}\nafter step {world.steps}; again with "
                f"WORLD_SEED={seed} WORLD_STEPS={steps}\n{lately}"
            ) from failure
        finally:
            records.close()
        return world.history


def live_elsewhere(template: Path, folder: Path, seed: str, steps: int) -> dict[str, Any]:
    """One world in a process of its own; answers what it counted."""
    counting.COUNTED.clear()
    live(template, folder, seed, steps)
    return counting.sent()


@contextmanager
def unswept() -> Iterator[None]:
    """Without looking for garbage all the time, which would be a third of a world's time."""
    gc.collect()
    gc.freeze()
    gc.disable()
    yield
    gc.enable()
    gc.unfreeze()
