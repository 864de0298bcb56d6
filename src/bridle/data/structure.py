"""Which products of which columns become features: the terms of a formula, or pairs of columns."""

from __future__ import annotations

import ast
import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from bridle.errors import InputError

MODULES = ("np", "numpy")


@dataclass(frozen=True)
class FactorSpec:
    """One factor of a term: a column as it is encoded, or an expression such as ``bs(age, 5)``."""

    text: str  # the column's name, or the expression as written
    is_column: bool
    columns: tuple[str, ...]  # table columns that it reads


@dataclass(frozen=True)
class Structure:
    """The terms that a table becomes, each a product of factors."""

    terms: tuple[tuple[FactorSpec, ...], ...]
    centered: bool  # whether numbers are centred before they are multiplied
    formula: str = ""
    categories: tuple[str, ...] = ()  # columns in C(...)

    @property
    def columns(self) -> tuple[str, ...]:
        """The table columns that the terms read, each once."""
        return tuple(dict.fromkeys(c for term in self.terms for factor in term for c in factor.columns))


def parse_formula(text: str, available: Sequence[str]) -> tuple[str, Structure]:
    """Read a formula such as ``y ~ bs(age, 5) + sex:dose``.

    Parameters
    ----------
    text : str
        In the language of formulaic (Wilkinson's, as in R): ``+ - : * / ** ( ) .``, backticks around odd names.
    available : sequence of str
        Columns that ``.`` stands for; the target isn't among its terms.

    Returns
    -------
    target : str
        Name on the left side; empty if there is none.
    structure : Structure

    Raises
    ------
    InputError
        The formula can't be read, or asks for what a study doesn't do.
    """
    sides = _parse(text, available)
    left, right = getattr(sides, "lhs", []), getattr(sides, "rhs", sides)
    if isinstance(right, tuple) or isinstance(left, tuple):
        raise InputError(f"the formula {text!r} has several parts; expected one, as in y ~ a + b")
    target = _target(text, list(left))
    terms: list[tuple[FactorSpec, ...]] = []
    categories: list[str] = []
    intercept = False
    for term in right:
        factors = [(f.expr, f.eval_method.value) for f in term.factors]
        if factors == [("1", "literal")]:
            intercept = True
            continue
        if any(how == "literal" for _, how in factors):
            raise InputError(f"the formula {text!r} scales a term by a number; scaling changes no fit, leave it out")
        specs = tuple(_factor(expr, how == "lookup", categories) for expr, how in factors)
        if target in (read := {c for spec in specs for c in spec.columns}):
            raise InputError(f"the formula {text!r} has the target {target!r} on both sides")
        if not read:
            raise InputError(f"the term {':'.join(e for e, _ in factors)!r} of the formula names no column")
        terms.append(specs)
    if not intercept:
        raise InputError(f"the formula {text!r} takes the intercept out; models here always have one, drop 0 or -1")
    if not terms:
        raise InputError(f"the formula {text!r} has nothing to predict from; expected terms, as in y ~ a + b")
    return target, Structure(tuple(terms), False, text, tuple(dict.fromkeys(categories)))


def _parse(text: str, available: Sequence[str]) -> Any:
    try:
        from formulaic import Formula
    except ImportError as error:
        raise InputError("formulas need the package formulaic: pip install 'bridle[formula]'") from error
    try:
        return Formula(text, _context={"__formulaic_variables_available__": list(available)})
    except Exception as error:  # its parser has no common class of errors
        why = re.sub(r"⧛\[[\d;]*m|⧚", "", str(error)).split("\n")[0]
        raise InputError(f"the formula {text!r} can't be read: {why}") from error


def _target(text: str, left: list[Any]) -> str:
    if not left:
        return ""
    factors = [f for term in left for f in term.factors]
    if len(factors) != 1 or factors[0].eval_method.value != "lookup":
        raise InputError(
            f"the left side of the formula {text!r} is {' + '.join(map(str, left))}; expected one column, the target. "
            "Transform the column in the table, or choose a family"
        )
    return str(factors[0].expr)


def _factor(expr: str, lookup: bool, categories: list[str]) -> FactorSpec:
    if lookup:
        return FactorSpec(expr, True, (expr,))
    tree = parse_expression(expr)
    if isinstance(tree, ast.Call) and function_name(tree.func) == "C":
        if len(tree.args) != 1 or tree.keywords or not isinstance(tree.args[0], ast.Name):
            raise InputError(
                f"{expr}: C() takes a column and nothing else; every level has a feature, and ordered levels are "
                "listed by --ordered (ordered= in Python)"
            )
        categories.append(tree.args[0].id)
        return FactorSpec(tree.args[0].id, True, (tree.args[0].id,))
    return FactorSpec(expr, False, columns_of(tree))


def parse_expression(text: str) -> ast.expr:
    """Read an expression as Python's grammar has it, without evaluating anything; backticks quote odd names.

    Raises
    ------
    InputError
        It isn't an expression.
    """
    quoted: dict[str, str] = {}

    def stand_in(match: re.Match[str]) -> str:
        return quoted.setdefault(match.group(1), f"__quoted_{len(quoted)}")

    try:
        tree = ast.parse(re.sub(r"`([^`]+)`", stand_in, text).strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise InputError(f"{text!r} in the formula isn't an expression: {error}") from error
    names = {stand: name for name, stand in quoted.items()}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            node.id = names.get(node.id, node.id)
    return tree


def function_name(func: ast.expr) -> str:
    """Name of a called function, ``np.log`` being ``log``; empty for anything else."""
    if isinstance(func, ast.Attribute) and isinstance(func.value, ast.Name) and func.value.id in MODULES:
        return func.attr
    return func.id if isinstance(func, ast.Name) else ""


def columns_of(tree: ast.expr) -> tuple[str, ...]:
    """Names that an expression reads, functions and modules excepted, in order."""
    functions = {id(n) for call in ast.walk(tree) if isinstance(call, ast.Call) for n in ast.walk(call.func)}
    names = [n for n in ast.walk(tree) if isinstance(n, ast.Name) and id(n) not in functions]
    names.sort(key=lambda n: (n.lineno, n.col_offset))
    return tuple(dict.fromkeys(n.id for n in names))


def pairs_structure(asked: str | Iterable[str | Sequence[str]], features: Sequence[str]) -> Structure:
    """All features and products of pairs of them.

    Parameters
    ----------
    asked : "all", or pairs
        ``("age", "dose")`` or ``"age:dose"``; ``"sex:*"`` is sex with each other column, ``"*:*"`` is all pairs.
    features : sequence of str
        The columns used as features.

    Raises
    ------
    InputError
        A pair names no two different features.
    """
    given: list[str | Sequence[str]] = [asked] if isinstance(asked, str) else list(asked)
    if not given:
        raise InputError("interactions: no pair is named; expected 'all' or pairs such as age:dose")
    pairs: dict[tuple[str, str], None] = {}
    place = {name: k for k, name in enumerate(features)}
    for pair in given:
        one, two = ("*", "*") if pair == "all" else _split(pair, features)
        left, right = (list(features) if side == "*" else [side] for side in (one, two))
        if one == two != "*":
            raise InputError(f"interactions: {one!r} with itself; name two different columns")
        for a in left:
            for b in right:
                if a != b:
                    first, second = sorted((a, b), key=place.__getitem__)
                    pairs[first, second] = None
    if one_feature := len(features) < 2:
        raise InputError(f"interactions: the table has {int(one_feature)} feature; expected at least two")
    known = {c: FactorSpec(c, True, (c,)) for c in features}
    ordered = [pair for pair in combinations(features, 2) if pair in pairs]
    return Structure((*((known[c],) for c in features), *((known[a], known[b]) for a, b in ordered)), True)


def _split(pair: str | Sequence[str], features: Sequence[str]) -> tuple[str, str]:
    if not isinstance(pair, str):
        sides = tuple(str(side) for side in pair)
        if len(sides) != 2:
            raise InputError(f"interactions: {pair!r} has {len(sides)} columns; expected pairs")
        ways = [sides]
    else:  # a name may hold a colon itself
        marks = [i for i, sign in enumerate(pair) if sign == ":"]
        if not marks:
            raise InputError(f"interactions: {pair!r} is no pair; expected 'all' or pairs such as age:dose")
        ways = [(pair[:i].strip(), pair[i + 1 :].strip()) for i in marks]
    known = {*features, "*"}
    fits = [way for way in ways if way[0] in known and way[1] in known]
    if fits:
        return fits[0]
    lacking = next(side for side in ways[0] if side not in known)
    close = difflib.get_close_matches(lacking, list(features), n=2, cutoff=0.5)
    hint = f"; did you mean {' or '.join(map(repr, close))}?" if close else ""
    raise InputError(f"interactions: {lacking!r} is not among the features{hint}")
