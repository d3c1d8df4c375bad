#!/usr/bin/env python3
"""Makes testdata/torch: a small float model of this architecture in PyTorch, saved as
safetensors, and what it computes. Needs torch and numpy.

    /usr/bin/python3 scripts/torchgolden.py
"""
import json
import pathlib
import struct

import torch
from torch import nn
from torch.nn import functional as F

E, H, HEADS, LAYERS, CLASSES, T = 5, 16, 2, 2, 3, 11


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.ln1, self.ln2 = nn.LayerNorm(H), nn.LayerNorm(H)
        self.qkv, self.proj = nn.Linear(H, 3 * H), nn.Linear(H, H)
        self.up, self.down = nn.Linear(H, 4 * H), nn.Linear(4 * H, H)

    def forward(self, x):
        n, steps, _ = x.shape
        q, k, v = (
            part.view(n, steps, HEADS, H // HEADS).transpose(1, 2)
            for part in self.qkv(self.ln1(x)).chunk(3, dim=-1)
        )
        scores = q @ k.transpose(-1, -2) / (H // HEADS) ** 0.5
        later = torch.ones(steps, steps, dtype=torch.bool).triu(1)
        weights = scores.masked_fill(later, float("-inf")).softmax(-1)
        x = x + self.proj((weights @ v).transpose(1, 2).reshape(n, steps, H))
        return x + self.down(F.silu(self.up(self.ln2(x))))


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.inp, self.pos = nn.Linear(E, H), nn.Parameter(torch.randn(T, H))
        self.blocks = nn.ModuleList(Block() for _ in range(LAYERS))
        self.lnf, self.head = nn.LayerNorm(H), nn.Linear(H, CLASSES)

    def forward(self, x):
        x = self.inp(x) + self.pos
        for block in self.blocks:
            x = block(x)
        return self.head(self.lnf(x)[:, -1])


def main():
    torch.manual_seed(1)
    model = Model()
    with torch.no_grad():
        for p in model.parameters():  # nothing is 0 or 1 by its initialization
            p.add_(0.2 * torch.randn_like(p))
        x = torch.randn(7, T, E)
        y = model(x)
    out = pathlib.Path(__file__).parent.parent / "testdata" / "torch"
    header, data = {}, b""
    for name, v in model.state_dict().items():
        raw = v.numpy().astype("<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": list(v.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    (out / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data)
    (out / "outputs.json").write_text(
        json.dumps({"torch": torch.__version__, "heads": HEADS, "input": x.flatten().tolist(), "outputs": y.flatten().tolist()}) + "\n"
    )


main()
