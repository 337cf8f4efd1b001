r"""Formulas of docstrings as a terminal can show them: `\frac{1}{S-1} \sum_s f_s` becomes `1 / (S-1) Σ_s f_s`."""

import re

__all__ = ["plain"]

SIGNS = {
    "alpha": "α", "beta": "β", "gamma": "γ", "Delta": "Δ", "epsilon": "ε", "eta": "η", "theta": "θ", "kappa": "κ",
    "lambda": "λ", "mu": "μ", "nu": "ν", "pi": "π", "rho": "ρ", "Sigma": "Σ", "sigma": "σ", "tau": "τ", "phi": "φ",
    "varphi": "φ", "psi": "ψ", "ell": "ℓ", "nabla": "∇", "partial": "∂", "sum": "Σ", "prod": "∏", "sim": "~",
    "top": "ᵀ", "cdot": "·", "ne": "≠", "neq": "≠", "le": "≤", "ge": "≥", "to": "→", "leftarrow": "←", "pm": "±",
    "circ": "∘", "in": "∈", "notin": "∉", "mid": "|", "approx": "≈", "propto": "∝", "setminus": "∖", "dots": "…",
    "infty": "∞", "times": "×", "ldots": "…", "int": "∫",
}  # fmt: skip
MARKS = {"bar": "\N{COMBINING MACRON}", "hat": "\N{COMBINING CIRCUMFLEX ACCENT}", "tilde": "\N{COMBINING TILDE}"}
MARKS["widehat"] = MARKS["hat"]
FACES = ("mathrm", "mathbb", "mathcal", "mathbf", "text", "operatorname")
SPACES = ("quad", "qquad", "big", "Big", "bigl", "bigr", "left", "right", "textstyle", "displaystyle", "limits")
ARGUMENT = r"\{((?:[^{}]|\{[^{}]*\})*)\}"
TOKEN = r"(\\[A-Za-z]+|[A-Za-z0-9])"


def plain(text: str) -> str:
    """The text with the formulas between dollar signs as lines of plain characters."""
    shown = re.sub(r"\$\$(.+?)\$\$", lambda found: f"    {_formula(found[1])}", text, flags=re.DOTALL)
    return re.sub(r"\$([^$]+)\$", lambda found: _formula(found[1]), shown)


def _formula(code: str) -> str:
    code = re.sub(r"\\[tdc]?frac\s*(\d)\s*([A-Za-z0-9])", r"\1/\2 ", " ".join(code.split()))
    for _ in range(code.count(r"\frac") + code.count(r"\tfrac") + code.count(r"\binom")):
        code = re.sub(r"\\t?frac\s*" + ARGUMENT + r"\s*" + ARGUMENT, _fraction, code, count=1)
        code = re.sub(r"\\binom\s*" + ARGUMENT + r"\s*" + ARGUMENT, r"(\1 over \2)", code, count=1)
    for _ in range(3):  # one inside another
        code = re.sub(rf"\\(?:{'|'.join(FACES)})\s*(?:{ARGUMENT}|([A-Za-z]))", lambda found: found[1] or found[2], code)
        code = re.sub(rf"\\({'|'.join(MARKS)})\s*(?:{ARGUMENT}|{TOKEN})", _marked, code)
    code = re.sub(rf"\\(?:{'|'.join(SPACES)})(?![A-Za-z])", " ", code)
    code = re.sub(r"\\([A-Za-z]+)", lambda found: SIGNS.get(found[1], found[1]), code)
    code = re.sub(r"\\[,;:! ]", " ", code).replace(r"\|", "‖").replace("\\", "")
    code = code.replace("^ᵀ", "ᵀ")
    code = re.sub(r"([_^])\{(\w+)\}", r"\1\2", code).replace("{", "(").replace("}", ")")
    return re.sub(r"\s+(?=[),.])|(?<=\() ", "", " ".join(code.split()))


def _fraction(found: re.Match[str]) -> str:
    whole = (part if re.fullmatch(r"[\w\\]+|\([^()]*\)", part) else f"({part})" for part in found.groups())
    return f"{' / '.join(whole)} "


def _marked(found: re.Match[str]) -> str:
    inner = found[2] or found[3]
    sign = SIGNS.get(inner.removeprefix("\\"), inner)
    return f"{sign}{MARKS[found[1]]}" if len(sign) == 1 else f"{found[1]}({inner})"
