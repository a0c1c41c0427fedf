"""What TensorBoard and MLflow themselves make of a training's numbers.

    python3 -m venv .cache/trackers-venv
    .cache/trackers-venv/bin/pip install --requirement scripts/reference/trackers-requirements.txt
    .cache/trackers-venv/bin/python scripts/reference/trackers.py check

`check` trains a few steps of the generated corpus three times (target/release must be built and scripts/setup have
run): with an `mlflow server` on loopback, with one that is killed while training runs, and with one that is stopped
so that it never answers. It compares every value in both with metrics.jsonl. `events DIR` does so for the event files of
an artifact that is there. `frames` prints the bytes that TensorBoard's own writer makes of the four events in
crates/train/src/trackers/tensorboard/tests.rs.
"""

import argparse
import io
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STEPS = 60
TAGS = {
    "train": {
        "train/loss": "loss", "train/learning_rate": "learning_rate", "train/grad_norm": "grad_norm",
        "train/loss_scale": "loss_scale", "speed/features_per_s": "features_per_s",
        "speed/tokens_per_s": "tokens_per_s",
    },
    "validation": {"validation/loss": "loss", "validation/exact_match": "exact_match", "validation/f1": "f1"},
}


def expected(artifact: Path) -> dict[str, list[tuple[int, float]]]:
    """Tag → (step, value), from metrics.jsonl."""
    series: dict[str, list[tuple[int, float]]] = {}
    for line in (artifact / "metrics.jsonl").read_text().splitlines():
        row = json.loads(line)
        for tag, key in TAGS[row["kind"]].items():
            if row[key] is not None:
                series.setdefault(tag, []).append((row["global_step"], row[key]))
    assert "train/loss" in series and "validation/f1" in series, f"{artifact}: nothing was logged"
    return series


def single(value: float) -> float:
    """TensorBoard's scalars are 32-bit."""
    return struct.unpack("f", struct.pack("f", value))[0]


def check_events(artifact: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(artifact / "tensorboard"), size_guidance={"scalars": 0})
    events.Reload()
    series = expected(artifact)
    found = {tag for tag in events.Tags()["scalars"] if tag != "train/skipped_steps"}
    assert found == set(series), f"tags: {sorted(found)}, expected {sorted(series)}"
    for tag, points in series.items():
        read = [(event.step, event.value) for event in events.Scalars(tag)]
        assert read == [(step, single(value)) for step, value in points], f"{tag} differs"
    settings = json.loads((artifact / "manifest.json").read_text())["parts"]["settings"]
    shown = hyperparameters(events)
    assert set(shown) == set(settings), f"hyperparameters: {set(shown) ^ set(settings)}"
    for name, value in settings.items():
        if isinstance(value, (bool, int, float)):
            assert shown[name] == value, f"{name}: {shown[name]} for {value}"
    print(f"TensorBoard shows {len(shown)} settings as hyperparameters, all equal")
    print(f"TensorBoard reads {sum(map(len, series.values()))} values of {len(series)} scalars, all equal")


def hyperparameters(events) -> dict:
    """Name → value, as TensorBoard's table of runs has them."""
    from tensorboard.plugins.hparams import metadata
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    content = events.SummaryMetadata(metadata.SESSION_START_INFO_TAG).plugin_data.content
    start = HParamsPluginData.FromString(content).session_start_info
    return {name: getattr(value, value.WhichOneof("kind")) for name, value in start.hparams.items()}


def check_run(artifact: Path, uri: str) -> None:
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=uri)
    run = client.get_run(json.loads((artifact / "mlflow.json").read_text())["run_id"])
    assert run.info.status == "FINISHED" and run.info.end_time, run.info
    settings = json.loads((artifact / "manifest.json").read_text())["parts"]["settings"]
    assert set(run.data.params) == set(settings), f"{set(run.data.params) ^ set(settings)}"
    assert run.data.params["train.max_steps"] == str(STEPS)
    series = expected(artifact)
    for tag, points in series.items():
        history = sorted(client.get_metric_history(run.info.run_id, tag), key=lambda metric: metric.step)
        assert [(metric.step, metric.value) for metric in history] == points, f"{tag} differs"
    count = sum(map(len, series.values()))
    print(f"MLflow has {count} values and {len(settings)} params of run {run.info.run_name}, all equal")


class Server:
    """`mlflow server` on a free port of loopback, with its data in `folder`."""

    def __init__(self, folder: Path):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.uri = f"http://127.0.0.1:{port}"
        arguments = ["--host", "127.0.0.1", "--port", str(port), "--workers", "1",
                     "--backend-store-uri", f"sqlite:///{folder}/mlflow.db",
                     "--default-artifact-root", str(folder / "files")]
        command = [sys.executable, "-m", "mlflow", "server", *arguments]
        # A group of its own, because the server is several processes.
        self.process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL, start_new_session=True)
        for _ in range(600):
            try:
                urllib.request.urlopen(f"{self.uri}/health", timeout=1).read()
                return
            except OSError:
                assert self.process.poll() is None, "the MLflow server ended"
                time.sleep(0.2)
        raise SystemExit("the MLflow server did not start")

    def signal(self, number: int) -> None:
        os.killpg(self.process.pid, number)

    def end(self) -> None:
        if self.process.poll() is None:
            self.signal(signal.SIGKILL)
        self.process.wait()


def train(folder: Path, uri: str, store: str, once_begun=lambda: None) -> tuple[Path, float, str]:
    """Trains; calls `once_begun` after the first line. Returns the artifact, seconds, and what was said."""
    binary = ROOT / "target/release/distilburn"
    settings = [f"train.max_steps={STEPS}", "train.warmup_steps=10", "train.log_every_steps=5",
                "ingest.max_train_examples=600", "ingest.max_validation_examples=40", f"train.mlflow_uri={uri}"]
    options = ["--artifacts", str(folder / store)] + [word for item in settings for word in ("--set", item)]
    subprocess.run([binary, "run", "--to", "tokenize-features", "--quiet", *options], cwd=ROOT, check=True)
    started = time.monotonic()
    process = subprocess.Popen([binary, "train", *options], cwd=ROOT, text=True, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE)
    begun = lambda: any(path.stat().st_size for path in (folder / store).glob("train/.partial-*/metrics.jsonl"))
    while process.poll() is None and not begun():
        time.sleep(0.05)
    once_begun()
    stdout, stderr = process.communicate()
    assert process.returncode == 0, stderr
    return Path(stdout.strip()), time.monotonic() - started, stderr


def check() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        server = Server(folder)
        try:
            artifact, seconds, said = train(folder, server.uri, "alive")
            assert "out of reach" not in said, said
            check_events(artifact)
            check_run(artifact, server.uri)
            print(f"with the server: {seconds:.1f} s")
            _, seconds, said = train(folder, server.uri, "stopped", lambda: server.signal(signal.SIGSTOP))
            assert said.count("out of reach") <= 1 and ("did not take" in said or "did not get" in said), said
            print(f"with a server that stops answering: {seconds:.1f} s, finished")
        finally:
            server.end()
        server = Server(folder)
        try:
            _, seconds, said = train(folder, server.uri, "killed", server.end)
            assert said.count("out of reach") == 1, said
            print(f"with a server that is killed: {seconds:.1f} s, finished")
        finally:
            server.end()


def frames() -> None:
    from tensorboard.compat.proto.event_pb2 import Event, SessionLog
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.hparams.summary_v2 import hparams_pb
    from tensorboard.summary.writer.record_writer import RecordWriter

    scalars = [Summary.Value(tag="train/loss", simple_value=0.25),
               Summary.Value(tag="validation/f1", simple_value=0.0)]
    settings = {"run.precision": "bf16", "train.gradient_checkpointing": False, "train.learning_rate": 3e-5}
    hyperparameters = hparams_pb(settings, trial_id="run", start_time_secs=1.5)
    for event in [Event(wall_time=1.5, step=0, file_version="brain.Event:2"),
                  Event(wall_time=1.5, step=11, session_log=SessionLog(status=SessionLog.START)),
                  Event(wall_time=1.5, step=20, summary=Summary(value=scalars)),
                  Event(wall_time=1.5, step=0, summary=hyperparameters)]:
        file = io.BytesIO()
        RecordWriter(file).write(event.SerializeToString(deterministic=True))
        print(file.getvalue().hex())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("check")
    commands.add_parser("events").add_argument("artifact", type=Path)
    commands.add_parser("frames")
    arguments = parser.parse_args()
    if arguments.command == "events":
        check_events(arguments.artifact)
    else:
        {"check": check, "frames": frames}[arguments.command]()


if __name__ == "__main__":
    main()
