"""gradmark on a GPU, in one script: `nox -s gpu`, or `python -m benchmarks.gpu` where only torch, numpy, scipy, pandas,
matplotlib, click, rich, msgspec and jaxtyping are installed.

It checks what has to hold on the device, then measures the cases of `nox -s peers`, eager and compiled, beside a plain
loop on the same device and what its generator gives. What it has found is written after each step; when its seconds are
over, the rest is left out. Exits with 1 where something is wrong.
"""

import argparse
import sys
import time
from pathlib import Path

import torch

from benchmarks.gpu.run import Run
from benchmarks.gpu.speed import DEVICE_CASES
from benchmarks.gpu.table import machine
from benchmarks.speed import use_one_core

SECONDS = 480.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", metavar="CASE", help="the beginning of a name; all by default")
    parser.add_argument("--device", default="cuda", help="cuda, cuda:1 or cpu (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help="all of it in short, to see that it runs")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="after which no step begins (%(default)s)")
    parser.add_argument("--folder", type=Path, help="where table.csv and table.md go; default: nowhere")
    parser.add_argument("--only", choices=("checks", "cases"), help="a half of it")
    chosen = parser.parse_args()
    if chosen.device != "cpu" and not torch.cuda.is_available():
        print(f"no CUDA device is found by torch {torch.__version__}: --device cpu tries all on the CPU")
        return 2
    if chosen.device == "cpu":
        use_one_core()
    run = Run(chosen.device, chosen.quick, time.monotonic() + chosen.seconds, chosen.folder)
    print(f"On: {machine(chosen.device)}", flush=True)
    if chosen.only != "cases":
        run.check()
    if chosen.only != "checks":
        run.measure([case for case in DEVICE_CASES if case.name.startswith(tuple(chosen.cases or [""]))])
    return 1 if run.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
