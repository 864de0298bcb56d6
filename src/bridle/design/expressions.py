"""Expressions of formulas: learned from training rows, kept as plain values, evaluated without ever running code.

An expression is read into a tree of known operations; what isn't known is refused. What ``bs``, ``poly``, ``scale`` and
``center`` learn (knots, recurrences, means) is part of the tree, so that a saved model predicts without formulaic.

References
----------
de Boor, C. (1978). A Practical Guide to Splines. Springer.
Kennedy, W. J. and Gentle, J. E. (1980). Statistical Computing (orthogonal polynomials, pp. 342-347). Dekker.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bridle.data.structure import function_name
from bridle.errors import FileFormatError, InputError

Float = NDArray[np.float64]
Columns = Callable[[str], Float]  # name of a table column -> (m,)

BINARY: Mapping[str, Callable[[Any, Any], Any]] = {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide, "pow": np.power,
}  # fmt: skip
UNARY: Mapping[str, Callable[[Any], Any]] = {
    "neg": np.negative, "log": np.log, "log2": np.log2, "log10": np.log10, "log1p": np.log1p, "exp": np.exp,
    "expm1": np.expm1, "sqrt": np.sqrt, "abs": np.abs, "sin": np.sin, "cos": np.cos, "tanh": np.tanh,
}  # fmt: skip
LEARNED = ("center", "scale", "poly", "bs")
OUTSIDE = ("clip", "extend", "zero")  # what a spline is beyond its boundary knots
SIGNS: Mapping[type, str] = {ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "div", ast.Pow: "pow"}
MAX_DEPTH, MAX_DEGREE, MAX_KNOTS = 50, 20, 1000


@dataclass(frozen=True)
class Node:
    """One operation of an expression, with what it has learned.

    ``state`` is empty but for ``center`` (mean), ``scale`` (mean, standard deviation), ``poly`` (alphas, then squared
    norms, of the three-term recurrence; empty for raw powers) and ``bs`` (all knots, the boundary ones repeated).
    """

    op: str  # "column", "constant", a key of BINARY or UNARY, or one of LEARNED
    name: str = ""  # of a column
    value: float = 0.0  # of a constant
    args: tuple[Node, ...] = ()
    state: tuple[float, ...] = ()
    degree: int = 0  # of poly and bs
    whole: bool = False  # whether bs keeps its first column, so that the columns add up to 1
    outside: str = ""  # one of OUTSIDE, for bs

    @property
    def width(self) -> int:
        """Number of columns it gives."""
        if self.op == "poly":
            return self.degree
        if self.op == "bs":
            return len(self.state) - self.degree - 1 - (not self.whole)
        return max((a.width for a in self.args), default=1)

    @property
    def columns(self) -> tuple[str, ...]:
        """Table columns that it reads."""
        if self.op == "column":
            return (self.name,)
        return tuple(dict.fromkeys(c for a in self.args for c in a.columns))


def evaluate(node: Node, columns: Columns) -> Float:
    """(m, k) values of an expression; NaN and infinities where it isn't defined."""
    with np.errstate(all="ignore"):
        values = _value(node, columns)
    return values if values.ndim == 2 else values[:, None]


def _value(node: Node, columns: Columns) -> Float:
    if node.op == "column":
        return columns(node.name)
    if node.op == "constant":
        return np.array([node.value])
    parts = [_value(a, columns) for a in node.args]
    if node.op in BINARY:
        return np.asarray(BINARY[node.op](*parts), dtype=np.float64)
    if node.op in UNARY:
        return np.asarray(UNARY[node.op](parts[0]), dtype=np.float64)
    if node.op == "center":
        return parts[0] - node.state[0]
    if node.op == "scale":
        return (parts[0] - node.state[0]) / node.state[1]
    return _poly(node, parts[0]) if node.op == "poly" else _splines(node, parts[0])


def _poly(node: Node, x: Float) -> Float:
    if not node.state:
        return x[:, None] ** np.arange(1, node.degree + 1)
    alpha, norm2 = node.state[: node.degree], node.state[node.degree :]
    P = np.ones((x.size, node.degree + 1))
    for k in range(node.degree):
        P[:, k + 1] = (x - alpha[k]) * P[:, k] - (norm2[k] / norm2[k - 1] * P[:, k - 1] if k else 0.0)
    return np.asarray(P[:, 1:] / np.sqrt(norm2[1:]))


def _splines(node: Node, x: Float) -> Float:
    from scipy.interpolate import BSpline

    knots, low, high = np.array(node.state), node.state[0], node.state[-1]
    inside = x if node.outside == "extend" else np.clip(x, low, high)
    finite = np.isfinite(inside)
    B = np.full((x.size, knots.size - node.degree - 1), np.nan)
    B[finite] = BSpline.design_matrix(inside[finite], knots, node.degree, extrapolate=True).toarray()
    if node.outside == "zero":
        B[(x < low) | (x > high)] = 0.0
    return B if node.whole else B[:, 1:]


def learn_expression(text: str, tree: ast.expr, columns: Columns, weights: Float) -> Node:
    """Learn an expression from training rows.

    Parameters
    ----------
    text : str
        The expression as written, for messages.
    tree : ast.expr
        The same, parsed.
    columns : callable
        Gives (m,) training values of a table column by name.
    weights : (m,)
        All positive.

    Raises
    ------
    InputError
        Something in it isn't known, or can't be learned from these rows.
    """
    return _Learner(text, columns, weights / weights.mean()).learn(tree, 0)


class _Learner:
    """Walks the tree from the leaves up, since a transform learns from the values of what is inside it."""

    def __init__(self, text: str, columns: Columns, weights: Float) -> None:
        self.text, self.columns, self.weights = text, columns, weights

    def refuse(self, what: str) -> InputError:
        return InputError(f"{self.text!r} in the formula: {what}")

    def learn(self, tree: ast.expr, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise self.refuse(f"nested deeper than {MAX_DEPTH}")
        if isinstance(tree, ast.Name):
            return Node("column", tree.id)
        if isinstance(tree, ast.Constant) and isinstance(tree.value, int | float) and not isinstance(tree.value, bool):
            return Node("constant", value=float(tree.value))
        if isinstance(tree, ast.BinOp) and type(tree.op) in SIGNS:
            return self.plain(SIGNS[type(tree.op)], tree.left, tree.right, depth=depth)
        if isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.USub):
            return self.plain("neg", tree.operand, depth=depth)
        if isinstance(tree, ast.Call):
            return self.call(tree, depth)
        raise self.refuse(
            f"{ast.unparse(tree)!r} isn't understood; expected columns, numbers, + - * / **, and the functions {KNOWN}"
        )

    def plain(self, op: str, *operands: ast.expr, depth: int) -> Node:
        args = tuple(self.learn(operand, depth + 1) for operand in operands)
        for node, operand in zip(args, operands, strict=True):
            if node.width != 1:
                raise self.refuse(f"{ast.unparse(operand)} has {node.width} columns; multiply terms by ':' instead")
        return Node(op, args=args)

    def call(self, tree: ast.Call, depth: int) -> Node:
        name = function_name(tree.func)
        name = {"standardize": "scale", "absolute": "abs"}.get(name, name)
        if name not in (*UNARY, *LEARNED, "I") or name == "neg":
            raise self.refuse(f"the function {ast.unparse(tree.func)!r} isn't known; known are {KNOWN}")
        if not tree.args:
            raise self.refuse(f"{name}() needs a column")
        options = self.options(name, tree)
        if name in UNARY:
            return self.plain(name, tree.args[0], depth=depth)
        inner = self.learn(tree.args[0], depth + 1)
        if name == "I":
            return inner
        x = evaluate(inner, self.columns)
        if x.shape[1] != 1 or not inner.columns:
            raise self.refuse(f"{name}() takes one column, got {ast.unparse(tree.args[0])}")
        if not np.isfinite(x).all():
            raise self.refuse(f"{ast.unparse(tree.args[0])} is infinite or undefined in some training rows")
        return _TRANSFORMS[name](self, inner, x[:, 0], **options)

    def options(self, name: str, tree: ast.Call) -> dict[str, Any]:
        order = OPTIONS.get(name, ())
        if len(tree.args) - 1 > len(order):
            raise self.refuse(f"{name}() takes {1 + len(order)} values at most, got {len(tree.args)}")
        given = [*zip(order, tree.args[1:], strict=False), *((k.arg, k.value) for k in tree.keywords)]
        found: dict[str, Any] = {}
        for key, value in given:
            if key is None or key not in order or key in found:
                allowed = f"it takes {', '.join(order)}" if order else "it takes none"
                raise self.refuse(f"{name}() has no option {key!r}, or has it twice; {allowed}")
            try:
                found[key] = ast.literal_eval(value)
            except ValueError:
                raise self.refuse(f"{key}={ast.unparse(value)} must be a plain value") from None
        return found

    def center(self, inner: Node, x: Float) -> Node:
        return Node("center", args=(inner,), state=(float(np.average(x, weights=self.weights)),))

    def scale(self, inner: Node, x: Float) -> Node:
        mean = float(np.average(x, weights=self.weights))
        sd = float(np.sqrt(np.sum(self.weights * (x - mean) ** 2) / max(x.size - 1, 1)))
        if not sd > 0.0:
            raise self.refuse("it has the same value in every training row, so it can't be scaled")
        return Node("scale", args=(inner,), state=(mean, sd))

    def poly(self, inner: Node, x: Float, degree: Any = 1, raw: Any = False) -> Node:
        self.whole_number("degree", degree, 1, MAX_DEGREE)
        if np.unique(x).size <= degree:
            raise self.refuse(f"degree {degree} needs more than {degree} distinct values, got {np.unique(x).size}")
        if raw:
            return Node("poly", args=(inner,), degree=degree)
        w, alpha, norm2 = self.weights, [], [float(self.weights.sum())]
        before, now = np.zeros_like(x), np.ones_like(x)
        for k in range(degree):
            alpha.append(float(np.sum(w * x * now**2) / norm2[k]))
            step = norm2[k] / norm2[k - 1] if k else 0.0
            before, now = now, (x - alpha[k]) * now - step * before
            norm2.append(float(np.sum(w * now**2)))
        return Node("poly", args=(inner,), degree=degree, state=(*alpha, *norm2))

    def bs(  # the options are those of formulaic, in its order
        self, inner: Node, x: Float, df: Any = None, knots: Any = None, degree: Any = 3, include_intercept: Any = False,
        lower_bound: Any = None, upper_bound: Any = None, extrapolation: Any = "clip",
    ) -> Node:  # fmt: skip
        self.whole_number("degree", degree, 0, MAX_DEGREE)
        if extrapolation not in OUTSIDE:
            raise self.refuse(f"extrapolation {extrapolation!r}: expected one of {', '.join(OUTSIDE)}")
        low = float(x.min()) if lower_bound is None else self.number("lower_bound", lower_bound)
        high = float(x.max()) if upper_bound is None else self.number("upper_bound", upper_bound)
        if not low < high:
            raise self.refuse(f"the spline's bounds are {low:g} and {high:g}; expected a column that varies")
        if df is not None and knots is not None:
            raise self.refuse("both df and knots are given; give one of them")
        inner_knots = [] if knots is None else [self.number("knots", k) for k in knots]
        if df is not None:
            least = degree + bool(include_intercept)
            self.whole_number("df", df, max(least, 1), MAX_KNOTS)
            within = x[(x >= low) & (x <= high)] if extrapolation != "extend" else x
            inner_knots = np.quantile(within, np.linspace(0, 1, df - least + 2))[1:-1].tolist()
        outside = [k for k in inner_knots if not low <= k <= high]
        if outside and knots is not None:
            raise self.refuse(f"the knot {outside[0]:g} lies outside of the column's range {low:g} to {high:g}")
        distinct = sorted({float(k) for k in inner_knots if low < k < high})  # ties would make columns of zeros
        ends = [low] * (degree + 1), [high] * (degree + 1)
        state = (*ends[0], *distinct, *ends[1])
        node = Node(
            "bs", args=(inner,), state=state, degree=degree, whole=bool(include_intercept), outside=extrapolation
        )
        if node.width < 1:
            raise self.refuse("it has no column left; raise df or degree")
        return node

    def whole_number(self, what: str, value: Any, low: int, high: int) -> None:
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise self.refuse(f"{what} must be a whole number from {low} to {high}, got {value!r}")

    def number(self, what: str, value: Any) -> float:
        if not isinstance(value, int | float) or isinstance(value, bool) or not np.isfinite(value):
            raise self.refuse(f"{what} must be a number, got {value!r}")
        return float(value)


OPTIONS: Mapping[str, tuple[str, ...]] = {
    "poly": ("degree", "raw"),
    "bs": ("df", "knots", "degree", "include_intercept", "lower_bound", "upper_bound", "extrapolation"),
}
_TRANSFORMS: Mapping[str, Callable[..., Node]] = {
    "center": _Learner.center, "scale": _Learner.scale, "poly": _Learner.poly, "bs": _Learner.bs,
}  # fmt: skip
KNOWN = ", ".join([*(u for u in UNARY if u != "neg"), *LEARNED, "I", "C"])


def check_node(node: Node, columns: tuple[str, ...], depth: int = 0) -> None:
    """Refuse a tree from a file that :func:`learn_expression` wouldn't have made.

    Raises
    ------
    FileFormatError
        An operation, its arguments or its state is none of ours.
    """
    arity = 2 if node.op in BINARY else 0 if node.op in ("column", "constant") else 1
    known = {"column", "constant", *BINARY, *UNARY, *LEARNED}
    if depth > 2 * MAX_DEPTH or node.op not in known or len(node.args) != arity:
        raise FileFormatError(
            f"the encoder in the file is damaged: an expression has {node.op!r}; save the model again"
        )
    sizes = {"center": (1,), "scale": (2,), "poly": (0, 2 * node.degree + 1)}
    k = len(node.state)
    fine = bool(np.isfinite([node.value, *node.state]).all()) and 0 <= node.degree <= MAX_DEGREE
    if node.op == "bs":
        ends = 2 * (node.degree + 1)
        fine &= node.outside in OUTSIDE and ends <= k <= MAX_KNOTS + ends and node.width >= 1
        fine = fine and list(node.state) == sorted(node.state) and node.state[0] < node.state[-1]
    elif node.op == "poly":
        fine &= node.degree >= 1 and k in sizes["poly"] and all(s > 0.0 for s in node.state[node.degree :])
    else:
        fine &= k in sizes.get(node.op, (0,)) and (node.op != "scale" or node.state[1] > 0.0)
    if node.op == "column":
        fine &= node.name in columns
    fine = fine and all(a.width == 1 for a in node.args)
    if not fine:
        raise FileFormatError(f"the encoder in the file is damaged: {node.op} has invalid values; save the model again")
    for a in node.args:
        check_node(a, columns, depth + 1)
