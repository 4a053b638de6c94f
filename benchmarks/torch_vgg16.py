"""Prints the seconds that PyTorch's VGG16 without its top takes for some photos on the CPU.

    python benchmarks/torch_vgg16.py 128 float32

It needs PyTorch and nothing of this course. The weights are random: time does not depend on them.
"""

import sys
import time

import torch
from torch import nn

BATCH = 64
BLOCKS = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))  # channels and convolutions


def build_base() -> nn.Sequential:
    """Returns VGG16's 13 convolutions and 5 poolings."""
    layers, before = [], 3
    for channels, convolutions in BLOCKS:
        for _ in range(convolutions):
            layers += [nn.Conv2d(before, channels, 3, padding=1), nn.ReLU(inplace=True)]
            before = channels
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers).eval()


def main(count: int, precision: str) -> None:
    """Passes one batch, then times `count` photos."""
    kind = getattr(torch, precision)
    base = build_base().to(dtype=kind, memory_format=torch.channels_last)
    images = torch.rand(BATCH, 3, 128, 128).to(dtype=kind, memory_format=torch.channels_last)
    with torch.inference_mode():
        base(images)
        start = time.perf_counter()
        for _ in range(count // BATCH):
            base(images)
        print(time.perf_counter() - start)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
