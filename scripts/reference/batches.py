"""The inputs of model.py: three batches of pseudo-random features with the shape of SQuAD's."""

import dataclasses

import numpy as np
import torch

from weights import fnv1a64, splitmix64

PAD, CLS, SEP = 0, 101, 102  # bert-base-uncased

# Tokens per feature, three batches that the 20 steps cycle through; 1,370 a batch, as real SQuAD features.
LENGTHS = [
    [7, 384, 31, 128, 256, 64, 200, 300],
    [12, 350, 90, 171, 240, 45, 165, 297],
    [19, 384, 384, 8, 77, 142, 203, 153],
]
TINY_LENGTHS = [[7, 64, 12, 33, 48, 5, 20, 57], [9, 40, 64, 6, 25, 51, 18, 30]]


@dataclasses.dataclass
class Batch:
    """Features without padding, and the padded tensors made of them."""

    features: list[list[int]]
    start_positions: torch.Tensor  # (batch)
    end_positions: torch.Tensor

    def __post_init__(self):
        longest = max(map(len, self.features))
        self.input_ids = torch.tensor([ids + [PAD] * (longest - len(ids)) for ids in self.features])
        self.attention_mask = (self.input_ids != PAD).long()  # (batch, longest)


def batch(number: int, lengths: list[int], vocab_size: int) -> Batch:
    """[CLS] question [SEP] context [SEP] of pseudo-random ids; the answer is in the context or, in
    feature 2, missing (both positions at [CLS]); in feature 3 it ends at the last context token."""
    features, starts, ends = [], [], []
    lowest = 1000 if vocab_size > 1000 else SEP + 1
    for row, length in enumerate(lengths):
        seed = np.uint64(fnv1a64(f"batch {number} feature {row}"))
        bits = splitmix64(seed, np.arange(length + 2, dtype=np.uint64))
        ids = [lowest + int(b % np.uint64(vocab_size - lowest)) for b in bits[:length]]
        question = max(1, (length - 3) // 4)
        context = question + 2  # first context token
        ids[0], ids[context - 1], ids[-1] = CLS, SEP, SEP
        start = context + int(bits[-2] % np.uint64(length - 1 - context))
        end = min(start + int(bits[-1] % np.uint64(8)), length - 2)
        if row == 2:
            start = end = 0
        if row == 3:
            end = length - 2
        features.append(ids)
        starts.append(start)
        ends.append(end)
    return Batch(features, torch.tensor(starts), torch.tensor(ends))
