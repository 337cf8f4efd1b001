"""Programs are compiled as one graph, in a process of their own: checked annotations cannot be compiled.

What Dynamo makes of a program is run by PyTorch itself; `nox -s slow` has machine code made of it.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REAL = """
import sys
import warnings
from functools import partial

import torch
from torch._dynamo.utils import counters

sys.path.insert(0, "tests")
from programs import Episode, Smooth

from estimators.registry import make_estimator
from experiments.gradients.prepare import prepare

if (backend := sys.argv[1]) != "inductor":
    torch.compile = partial(torch.compile, backend=backend)
torch.set_num_threads(1)
warnings.simplefilter("error")
for made, spec in ((Smooth(), "pathwise"), (Episode(), "score-function:control_variate=leave-one-out")):
    counters.clear()
    eager, compiled = (prepare(made, make_estimator(spec), 4, compile=compile) for compile in (False, True))
    torch.testing.assert_close(compiled.gradients(0), eager.gradients(0), rtol=1e-3, atol=1e-3)
    assert counters["stats"]["unique_graphs"] == 1 and not counters["graph_break"], counters

class Returning(Smooth):
    def run(self, params, sample):
        cost = 0.0
        for cost in super().run(params, sample):
            yield cost
        return cost  # which the compiler loses

warnings.simplefilter("always")
with warnings.catch_warnings(record=True) as caught:
    prepare(Returning(), make_estimator("pathwise"), 4, compile=True).one_gradient()
assert "runs eagerly" in "".join(str(one.message) for one in caught)
"""


@pytest.mark.skipif(shutil.which("g++") is None, reason="torch compiles by a C++ compiler")
@pytest.mark.parametrize("backend", ["eager", pytest.param("inductor", marks=pytest.mark.slow)])
def test_a_program_is_one_graph(backend):
    root = str(Path(__file__).parents[1])
    environment = os.environ | {"PYTHONPATH": root}
    done = subprocess.run(
        [sys.executable, "-c", REAL, backend], cwd=root, capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr
