"""Contenders in turns, the table of what they took, the bounds that a ratio is held against, and on which machine."""

import dataclasses
import pathlib
import statistics
import subprocess
import sys
from collections.abc import Callable

from .process import ROOT

OWN = "distilburn"


@dataclasses.dataclass
class Outcome:
    """Every run of every contender, and whether the bounds are kept."""

    measured: dict[str, list[dict]]
    met: bool = True


def in_turns(contenders: dict[str, Callable[[], dict]], rounds: int) -> dict[str, list[dict]]:
    """Runs every contender once a round, every other round in the opposite order."""
    measured = {name: [] for name in contenders}
    for number in range(rounds):
        for name in list(contenders)[:: 1 if number % 2 == 0 else -1]:
            measured[name].append(contenders[name]())
        print(f"round {number + 1} of {rounds} done", file=sys.stderr)
    return measured


def check_same(measured: dict[str, list[dict]], key: str):
    """Ends the comparison where contenders did not do the same work."""
    found = {name: {run[key] for run in runs} for name, runs in measured.items()}
    if len(set().union(*found.values())) > 1:
        sys.exit(f"compare: {key} of the contenders differ: {found}")


def ratios(measured: dict[str, list[dict]], name: str, to: str = OWN, key: str = "seconds") -> list[float]:
    """What a contender took in each round, divided by what `to` took."""
    return [run[key] / base[key] for run, base in zip(measured[name], measured[to])]


def fastest(measured: dict[str, list[dict]], names: list[str]) -> str:
    return min(names, key=lambda name: statistics.median(run["seconds"] for run in measured[name]))


def spread(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def print_table(measured: dict[str, list[dict]], to: str = OWN):
    """Median seconds, their ratio to those of `to`, and the greatest peaks of memory."""
    print(f"| who | seconds | / {to} (least to greatest) | peak anonymous MB | peak RSS MB |")
    print("|---|--:|--:|--:|--:|")
    for name, runs in measured.items():
        seconds = statistics.median(run["seconds"] for run in runs)
        anonymous, rss = (max(run[key] for run in runs) / 1e6 for key in ("peak_anonymous_bytes", "peak_rss_bytes"))
        print(f"| {name} | {seconds:.3f} | {spread(ratios(measured, name, to))} | {anonymous:.0f} | {rss:.0f} |")


def times_as_long(measured: dict[str, list[dict]], references: list[str], bound: float, to: str = OWN) -> bool:
    """Whether the fastest of the references takes at least `bound` times as long as `to`; says so."""
    name = fastest(measured, references)
    found = ratios(measured, name, to)
    met = statistics.median(found) >= bound
    print(f"\n{name}: {spread(found)} times as long as {to}, at least {bound:g} wanted: {verdict(met)}.")
    return met


def at_most(what: str, found: list[float], bound: float) -> bool:
    """Whether the median keeps to the bound; says so."""
    met = statistics.median(found) <= bound
    print(f"\n{what}: {spread(found)}, at most {bound:g} wanted: {verdict(met)}.")
    return met


def verdict(met: bool) -> str:
    return "met" if met else "MISSED"


def circumstances(args) -> str:
    return f"{args.threads} threads of {cpu()}; {args.rounds} rounds; commit {commit()}"


def cpu() -> str:
    lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    flags = next(line for line in lines if line.startswith("flags")).split()
    names = [name for name in ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16") if name in flags]
    model = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    return f"{model} ({', '.join(names)})"


def commit() -> str:
    return subprocess.check_output(["git", "describe", "--always", "--dirty"], cwd=ROOT, text=True).strip()
