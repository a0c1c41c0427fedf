"""A command under watch: what it prints, how long it takes, how much memory it and the processes below it hold.

Memory is looked at every 20 ms. Peak resident memory adds up the peaks of the processes that are alive at a time;
peak anonymous memory adds up what they hold at that time. A page that a forked process shares with its parent counts
in both.
"""

import os
import pathlib
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[3]
INTERVAL_S = 0.02
# Fields of /proc/PID/status, in KiB.
FIELDS = {"peak_rss_bytes": "VmHWM", "peak_anonymous_bytes": "RssAnon"}


def watched(command, environment: dict[str, str] | None = None) -> tuple[str, dict]:
    """stdout of a command, and its wall time and peaks of memory; ends the comparison where it fails."""
    words = [str(word) for word in command]
    begin = time.perf_counter()
    process = subprocess.Popen(
        words, cwd=ROOT, env={**os.environ, **(environment or {})}, stdout=subprocess.PIPE, text=True
    )
    peaks = dict.fromkeys(FIELDS, 0)
    watcher = threading.Thread(target=watch, args=(process, peaks))
    watcher.start()
    output, _ = process.communicate()
    wall_seconds = time.perf_counter() - begin
    watcher.join()
    if process.returncode != 0:
        sys.exit(f"compare: exit code {process.returncode} of {' '.join(words)}")
    return output, {"wall_seconds": wall_seconds, **peaks}


def watch(process: subprocess.Popen, peaks: dict[str, int]):
    while process.poll() is None:
        held = [memory(pid) for pid in with_descendants(process.pid)]
        for key in peaks:
            peaks[key] = max(peaks[key], sum(one[key] for one in held))
        time.sleep(INTERVAL_S)


def with_descendants(pid: int) -> list[int]:
    """A process and all below it; those that end meanwhile may be left out."""
    try:
        tasks = pathlib.Path(f"/proc/{pid}/task").iterdir()
        children = [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except OSError:
        children = []
    return [pid, *(below for child in children for below in with_descendants(child))]


def memory(pid: int) -> dict[str, int]:
    """Peak resident and present anonymous memory in bytes; 0 of a process that has ended."""
    try:
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
    except OSError:
        status = ""
    fields = dict(line.split(":", 1) for line in status.splitlines())
    return {key: int(fields.get(field, "0").split()[0]) * 1024 for key, field in FIELDS.items()}
