"""A measured figure, and how figures come about: alternating blocks, medians, a bootstrapped spread."""

import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal, TypeVar

BLOCKS = 8
"""Blocks that count; one more runs before them as warm-up."""
TIMES = 10
"""Measurements of each kind in a block."""
RESAMPLES = 2_000

Value = TypeVar("Value")
Timed = Callable[[], Awaitable[float]]
"""Does one thing; gives the seconds that count."""
Block = Sequence[float]
Blocks = Sequence[Block]


@dataclass(frozen=True)
class Row:
    """One line of ``var/bench.json``.

    Attributes:
        id: Stable name.
        what: What was measured, in words.
        value: The figure.
        unit: Of value, floor, goal and spread.
        floor: The best that could be on this machine in this run; None where nothing tells.
        goal: What it must not miss; None for information.
        better: Which way is better.
        n: How many blocks, or single measurements, it rests on.
        spread: 95 % confidence interval of the value; None for counts and single measurements.
    """

    id: str
    what: str
    value: float
    unit: str
    floor: float | None = None
    goal: float | None = None
    better: Literal["lower", "higher"] = "lower"
    n: int = 1
    spread: tuple[float, float] | None = None

    @property
    def missed(self) -> bool:
        """Whether there is a goal and the value falls short of it."""
        if self.goal is None:
            return False
        return self.value > self.goal if self.better == "lower" else self.value < self.goal


async def alternate(
    kinds: Mapping[str, Timed], *, times: int = TIMES, turn: int | None = None
) -> dict[str, list[list[float]]]:
    """Measure several things block by block, in turn, so that all meet the same weather.

    Args:
        kinds: What to measure.
        times: Measurements of each kind in a block.
        turn: How many of a kind in a row, a whole block if not said: shorter turns meet more of the same
            weather, longer ones each find warm what they left.

    Returns:
        Seconds by kind: `BLOCKS` lists of ``times``, the warm-up left out.
    """
    turn = turn or times
    seconds: dict[str, list[list[float]]] = {kind: [] for kind in kinds}
    for _ in range(1 + BLOCKS):
        for taken in seconds.values():
            taken.append([])
        for _ in range(times // turn):
            for kind, timed in kinds.items():
                seconds[kind][-1] += [await timed() for _ in range(turn)]
    return {kind: blocks[1:] for kind, blocks in seconds.items()}


def ratio(
    id_: str, what: str, over: Blocks, under: Blocks, *, floor: float | None = None, goal: float | None = None
) -> Row:
    """Median over the blocks of the ratio of their medians."""
    ratios = [median(above) / median(below) for above, below in zip(over, under, strict=True)]
    return Row(id_, what, median(ratios), "ratio", floor, goal, n=len(ratios), spread=interval(ratios))


def p50(id_: str, what: str, blocks: Blocks) -> Row:
    """Median over the blocks of their medians, in milliseconds."""
    medians = [1000 * median(block) for block in blocks]
    return Row(id_, what, median(medians), "ms", n=len(medians), spread=interval(medians))


def interval(values: Sequence[float]) -> tuple[float, float]:
    """95 % bootstrap confidence interval of the median."""
    return bootstrapped(values, median)


def bootstrapped(
    values: Sequence[Value], statistic: Callable[[Sequence[Value]], float]
) -> tuple[float, float]:
    """95 % bootstrap confidence interval of any statistic (percentile method)."""
    chance = random.Random(0)
    drawn = sorted(statistic(chance.choices(values, k=len(values))) for _ in range(RESAMPLES))
    return drawn[RESAMPLES * 25 // 1000], drawn[RESAMPLES * 975 // 1000 - 1]
