"""Memory of a measurement, whatever the parameters and the samples: a gibibyte."""

import subprocess
import sys

import pytest

GIB = 2**30
MEASURED = """
import resource, torch
from estimators import make_estimator, make_problem
from experiments.gradients.prepare import prepare
from experiments.measuring.loop import estimate
from experiments.measuring.stop import Stop
torch.set_num_threads(1)
problem, samples = make_problem("gaussian-quadratic:dim={dim}"), {samples}
work = prepare(problem, make_estimator("pathwise"), samples)
work.one_gradient()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
estimate(work, None, Stop(replicates={replicates}))
print(1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before))
"""


def taken(dim: int, samples: int, replicates: int) -> int:
    """Bytes beyond what one gradient takes, in a process of its own."""
    text = MEASURED.format(dim=dim, samples=samples, replicates=replicates)
    return int(subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True).stdout)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("dim", "samples", "replicates"),
    [(500, 1, 4096), (500, 1000, 512), (50_000, 1, 1024), (50_000, 10, 128), (500_000, 1, 192)],
)
def test_memory_is_bounded(dim: int, samples: int, replicates: int) -> None:
    """P = 2 dim: from a thousand to a million."""
    assert taken(dim, samples, replicates) < GIB
