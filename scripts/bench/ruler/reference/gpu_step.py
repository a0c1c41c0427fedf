"""A training step of DistilBERT's shape in PyTorch, timed on any device: what scripts/bench/first-gpu sets beside distilburn's.

    python3 scripts/bench/ruler/reference/gpu_step.py DEVICE PRECISION BATCH_SIZE STEPS SHAPE VARIANT

VARIANT is `dynamic` (padded to the longest feature), `padded` (to 384) or `compile` (padded, by torch.compile). Needs torch and
nothing else. Dropout is on, AdamW is fused, gradients are clipped to 1; features are as long as those of
crates/train/examples/step.rs. Prints JSON: the seconds of each step.
"""

import json
import sys
import time

import torch
from torch import nn
from torch.nn import functional

SHAPES = {"base": (768, 3072, 12, 6), "tiny": (32, 64, 2, 6)}


def main():
    device, precision, batch_size, steps, shape, variant = sys.argv[1:]
    batch_size, steps = int(batch_size), int(steps)
    torch.manual_seed(42)
    model = Model(*SHAPES[shape]).to(device)
    loss_of = torch.compile(model) if variant == "compile" else model
    optimizer = torch.optim.AdamW(model.parameters(), 3e-5, weight_decay=0.01, fused=True)
    scaler = torch.amp.GradScaler(device.split(":")[0], init_scale=1024.0, enabled=precision == "fp16")
    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]
    seconds = []
    for number in range(steps):
        lengths = [length(number * batch_size + index) for index in range(batch_size)]
        longest = max(lengths) if variant == "dynamic" else 384
        begin = time.perf_counter()
        ids = torch.tensor([[at * 7 % 1000 if at < own else 0 for at in range(longest)] for own in lengths]).to(device)
        visible = (torch.arange(longest)[None] < torch.tensor(lengths)[:, None]).to(device)
        gold = torch.tensor([[3, 5]] * batch_size).to(device)
        with torch.autocast(device.split(":")[0], dtype, enabled=precision != "fp32"):
            loss = loss_of(ids, visible, gold)
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
        loss.item()
        seconds.append(time.perf_counter() - begin)
    print(json.dumps({"step_seconds": seconds}))


def length(index: int) -> int:
    draw = index * 7919 % 1000
    return 384 if draw < 60 else 90 + draw * 150 // 1000


class Layer(nn.Module):
    def __init__(self, dim, hidden_dim, n_heads):
        super().__init__()
        self.n_heads = n_heads
        self.q, self.k, self.v, self.out = (nn.Linear(dim, dim) for _ in range(4))
        self.lin1, self.lin2 = nn.Linear(dim, hidden_dim), nn.Linear(hidden_dim, dim)
        self.norms = nn.ModuleList(nn.LayerNorm(dim, eps=1e-12) for _ in range(2))

    def forward(self, hidden, mask):
        heads = [layer(hidden).unflatten(2, (self.n_heads, -1)).transpose(1, 2) for layer in (self.q, self.k, self.v)]
        attended = functional.scaled_dot_product_attention(*heads, attn_mask=mask, dropout_p=0.1)
        hidden = self.norms[0](self.out(attended.transpose(1, 2).flatten(2)) + hidden)
        transformed = functional.dropout(self.lin2(functional.gelu(self.lin1(hidden))), 0.1)
        return self.norms[1](transformed + hidden)


class Model(nn.Module):
    def __init__(self, dim, hidden_dim, n_heads, n_layers):
        super().__init__()
        self.words, self.positions = nn.Embedding(30522, dim), nn.Embedding(512, dim)
        self.norm = nn.LayerNorm(dim, eps=1e-12)
        self.layers = nn.ModuleList(Layer(dim, hidden_dim, n_heads) for _ in range(n_layers))
        self.qa_outputs = nn.Linear(dim, 2)

    def forward(self, ids, visible, gold):
        hidden = self.words(ids) + self.positions(torch.arange(ids.shape[1], device=ids.device))
        hidden = functional.dropout(self.norm(hidden), 0.1)
        mask = visible[:, None, None]
        for layer in self.layers:
            hidden = layer(hidden, mask)
        logits = self.qa_outputs(functional.dropout(hidden, 0.1)).float().masked_fill(~visible[..., None], -1e30)
        return functional.cross_entropy(logits, gold)


if __name__ == "__main__":
    main()
