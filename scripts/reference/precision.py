"""Makes tests/fixtures/reference/precision.json: PyTorch's mixed precision for distilburn to match.

    .cache/reference-venv/bin/python scripts/reference/precision.py

`scaler`: the scale that torch.amp.GradScaler gives each step of a sequence with overflows at `overflows`, as
[step, scale] wherever it changes. `curves`: the loss before each of 200 optimizer steps of the tiny model, dropout
off, in fp32 and under bf16 autocast with either attention; the batches are those of model-tiny.safetensors in turn.
"""

import json
import random

import torch
from transformers import get_linear_schedule_with_warmup

from batches import TINY_LENGTHS, batch
from model import FIXTURES, MAX_GRAD_NORM, REFERENCES, forward, loss_of
from weights import adamw

STEPS, WARMUP_STEPS, LEARNING_RATE = 200, 20, 1e-3
SCALER_STEPS = 12_000


def scaler_trace() -> dict:
    """Overflows come single, in bursts, just before a growth, and not at all for 5,000 steps."""
    generator = random.Random(42)
    overflows = {0, 1, 2, 3, 40, 2040, 4041, 4042}
    overflows |= {step for step in range(5_000, 6_500) if generator.random() < 0.01}
    weight = torch.nn.Parameter(torch.zeros(3))
    optimizer = torch.optim.SGD([weight], lr=0.0)
    scaler = torch.amp.GradScaler("cpu")
    trace = []
    for step in range(SCALER_STEPS):
        scale = scaler.get_scale()
        if not trace or trace[-1][1] != scale:
            trace.append([step, scale])
        scaler.scale(weight.sum()).backward()
        if step in overflows:
            weight.grad[step % 3] = torch.inf if step % 2 else torch.nan
        scaler.unscale_(optimizer)
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
    return {"steps": SCALER_STEPS, "overflows": sorted(overflows), "scales": trace}


def curve(attention: str, autocast: bool) -> list[float]:
    torch.manual_seed(0)
    reference = REFERENCES["tiny"]
    model = reference.build(reference.scale)
    model.set_attn_implementation(attention)
    batches = [batch(i, lengths, model.config.vocab_size) for i, lengths in enumerate(reference.lengths)]
    optimizer = adamw(model, LEARNING_RATE, fused=False)
    schedule = get_linear_schedule_with_warmup(optimizer, WARMUP_STEPS, STEPS)
    losses = []
    for step in range(STEPS):
        part = batches[step % len(batches)]
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            loss = loss_of(forward(model, part), part)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), MAX_GRAD_NORM)
        losses.append(loss.item())
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
    return losses


def main() -> None:
    torch.set_num_threads(1)
    curves = {
        "fp32": curve("sdpa", autocast=False),
        "bf16_eager": curve("eager", autocast=True),
        "bf16_sdpa": curve("sdpa", autocast=True),
    }
    recipe = {"steps": STEPS, "warmup_steps": WARMUP_STEPS, "learning_rate": LEARNING_RATE}
    made = {"torch": torch.__version__.split("+")[0], "scaler": scaler_trace(), "recipe": recipe, "curves": curves}
    path = FIXTURES / "precision.json"
    path.write_text(json.dumps(made) + "\n")
    print(f"{path.name}: {path.stat().st_size:,} bytes; scales {made['scaler']['scales']}")
    for name, losses in curves.items():
        apart = max(abs(a - b) for a, b in zip(losses, curves["bf16_eager"]))
        print(f"  {name}: {losses[0]:.4f} → {losses[-1]:.4f}, at most {apart:.4f} from bf16_eager")


if __name__ == "__main__":
    main()
