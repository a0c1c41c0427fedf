"""The two sides as commands under watch: distilburn's stages and examples, and the scripts of reference/.

What a side returns of one run is a dictionary: `seconds` (those that are compared), `wall_seconds` (of the whole
process), `peak_rss_bytes`, `peak_anonymous_bytes`, and what it says of its work.
"""

import json
import pathlib
import subprocess

from .process import ROOT, watched

BINARIES = ROOT / "target/release"
PYTHON = ROOT / ".cache/reference-venv/bin/python"
REFERENCE = pathlib.Path(__file__).resolve().parent / "reference"
# What crates/torch-kernels/src/allocator.rs asks of glibc.
KEEP_MEMORY = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(2**31 - 1), "MALLOC_TOP_PAD_": str(64 << 20)}


def options(args, settings: list[str]) -> list:
    """The store and the settings, as words of a command line."""
    return ["--artifacts", args.work / "artifacts", "--quiet", *(word for one in settings for word in ("--set", one))]


def artifact(stage: str, args, settings: list[str]) -> pathlib.Path:
    """The directory of a stage's artifact, which is made if it is not there."""
    command = [BINARIES / f"distilburn-{stage}", *options(args, settings)]
    return pathlib.Path(last_line(subprocess.check_output(command, cwd=ROOT, text=True)))


def forced(stage: str, args, settings: list[str]) -> dict:
    """A run of a stage although its artifact may be there; `seconds` are those of the whole process."""
    output, taken = watched([BINARIES / f"distilburn-{stage}", *options(args, settings), "--force"])
    return {**taken, "seconds": taken["wall_seconds"], "artifact": last_line(output)}


def metrics(run: dict) -> dict:
    """What the manifest of a forced run's artifact says that the stage measured."""
    return json.loads((pathlib.Path(run["artifact"]) / "manifest.json").read_text())["metrics"]


def example(name: str, *words) -> dict:
    """A run of a Rust example, which prints its `seconds`."""
    return printed([BINARIES / "examples" / name, *words])


def reference(script: str, *words, environment: dict[str, str] | None = None) -> dict:
    """A run of a script of reference/, which prints its `seconds`: those of the work, without imports and loading."""
    return printed([PYTHON, REFERENCE / script, *words], environment)


def printed(command, environment: dict[str, str] | None = None) -> dict:
    output, taken = watched(command, environment)
    return {**taken, **json.loads(last_line(output))}


def last_line(output: str) -> str:
    return output.strip().splitlines()[-1]
