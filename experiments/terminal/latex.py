"""Tables in LaTeX, for a paper."""

from collections.abc import Sequence

__all__ = ["latex_table"]

SIGNS = str.maketrans(
    {
        **{sign: f"\\{sign}" for sign in "&%$#_{}"},
        **{"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"},
        **{"×": r"$\times$", "±": r"$\pm$", "·": r"$\cdot$", "‖": r"$\|$", "µ": r"$\mu$", "²": "$^2$", "−": "$-$"},
        **{"<": "$<$", ">": "$>$", "∞": r"$\infty$", "…": r"\dots{}", "–": "--", "\n": " "},
    }
)


def latex_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A tabular with the rules of the package booktabs: the first column flush left, the others flush right."""

    def line(cells: Sequence[str]) -> str:
        return " & ".join(cell.translate(SIGNS) for cell in cells) + r" \\"

    head, *body = map(line, [columns, *rows])
    begin, end = rf"\begin{{tabular}}{{l{'r' * (len(columns) - 1)}}}", r"\end{tabular}"
    return "\n".join([begin, r"\toprule", head, r"\midrule", *body, r"\bottomrule", end])
