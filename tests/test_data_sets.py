"""Data sets are read from scikit-learn's files as it reads them itself."""

import numpy as np
import pytest

from experiments.problems import tables


@pytest.mark.parametrize(
    ("file", "loader", "header"), [("digits.csv.gz", "load_digits", 0), ("breast_cancer.csv", "load_breast_cancer", 1)]
)
def test_the_file_has_what_the_function_gives(file: str, loader: str, header: int) -> None:
    read, given = tables.table(file, loader, header), tables.table("moved.csv", loader)
    for one, other in zip(read, given, strict=True):
        np.testing.assert_array_equal(one, other)
