"""Shared by all tests: one thread, and a cache of references that does not outlive the session."""

from collections.abc import Iterator

import pytest
import torch

torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def reference_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADMARK_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield
