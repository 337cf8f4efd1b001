"""gradmark itself: chunks of replicates, eager and compiled."""

from benchmarks.peers.networks import problem_of
from benchmarks.peers.work import Block, Case, Moments
from estimators.registry import make_estimator
from experiments.gradients.prepare import prepare
from experiments.gradients.workload import Workload
from experiments.measuring.moments import Sampling

__all__ = ["block", "blocks", "drawing"]


def blocks(case: Case) -> dict[str, tuple[Block, int]]:
    return {"gradmark": block(case, compile=False), "gradmark, compiled": block(case, compile=True)}


def block(case: Case, compile: bool) -> tuple[Block, int]:
    problem, estimator = problem_of(case), make_estimator(case.estimator)
    return drawing(prepare(problem, estimator, case.num_samples, compile=compile))


def drawing(workload: Workload) -> tuple[Block, int]:
    """A block and the number of its gradients: a chunk, or more where that is small."""
    size, used = Sampling(workload, None).block, [0]

    def draw() -> Moments:
        sampling = Sampling(workload, None)
        sampling.chunks_used = used[0]  # fresh noise
        sampling.grow(sampling.block)
        used[0] = sampling.chunks_used
        assert sampling.groups is not None
        return Moments(sampling.replicates, sampling.groups.overall_mean, sampling.groups.variance)

    return draw, size
