"""Formulas and pairs of columns: what is understood, and what is refused in words."""

import ast

import numpy as np
import polars as pl
import pytest

from bridle.data import make_dataset
from bridle.data.structure import columns_of, parse_expression, parse_formula
from bridle.errors import InputError

RNG = np.random.default_rng(5)
N = 60
FRAME = pl.DataFrame(
    {
        "age": RNG.uniform(20, 80, N),
        "dose (mg)": RNG.standard_normal(N),
        "sex": RNG.choice(["f", "m"], N),
        "grade": RNG.integers(1, 5, N),
        "patient_id": [f"p{i}" for i in range(N)],
        "site": ["one"] * N,
        "w": RNG.uniform(1, 2, N),
        "y": RNG.standard_normal(N),
    }
)


def terms(formula, available=("age", "sex", "dose (mg)")):
    return [":".join(f.text for f in term) for term in parse_formula(formula, available)[1].terms]


def test_the_language_of_formulas():
    assert terms("y ~ age*sex") == ["age", "sex", "age:sex"]
    assert terms("y ~ .") == ["age", "sex", "dose (mg)"]
    assert terms("y ~ (age + sex + `dose (mg)`)**2 - age:sex") == [
        "age", "sex", "dose (mg)", "age:dose (mg)", "sex:dose (mg)",
    ]  # fmt: skip
    assert terms("y ~ bs(age, 5) + np.log(age) + {age ** 2}") == ["bs(age, 5)", "np.log(age)", "age ** 2"]
    assert parse_formula("age + sex", ())[0] == ""
    assert parse_formula("~ age", ())[0] == ""


def test_columns_that_an_expression_reads():
    assert columns_of(parse_expression("bs(np.log(`dose (mg)`), knots=[1, 2]) + age * age")) == ("dose (mg)", "age")
    assert isinstance(parse_expression("a + b"), ast.BinOp)


def test_a_formula_names_target_and_columns():
    data = make_dataset(FRAME, None, formula="y ~ bs(age, 4) + sex + C(grade)")
    assert data.target_name == "y"
    assert [c.name for c in data.features] == ["age", "sex", "grade"]
    kinds = {c.name: (c.kind, c.note) for c in data.columns}
    assert kinds["grade"] == ("categorical", "taken as categories, C(...) in the formula")
    assert kinds["dose (mg)"] == ("numeric", "left out: not in the formula")
    assert data.take(np.arange(5)).structure == data.structure
    assert make_dataset(FRAME, "y", formula="y ~ age").features == make_dataset(FRAME, "y", formula="age").features
    assert [c.name for c in make_dataset(FRAME, FRAME["y"], formula="~ age + sex").features] == ["age", "sex"]


FORMULAS = {
    "y ~ foo(": "can't be read",
    "y ~ age | sex": "has several parts",
    "log(y) ~ age": "expected one column, the target",
    "y + age ~ sex": "expected one column, the target",
    "y ~ age - 1": "takes the intercept out",
    "y ~ 2:age": "scales a term by a number",
    "y ~ 1": "has nothing to predict from",
    "y ~ y + age": "the target 'y' on both sides",
    "y ~ ages": "names 'ages', which the table lacks",
    "y ~ patient_id": r"'patient_id', which can't be a feature: a different label .* keep=",
    "y ~ site": "'site', which can't be a feature: always 'one'",
    "y ~ w": "'w', which can't be a feature: is the weights",
    "y ~ C(grade, levels=[1, 2])": r"C\(\) takes a column and nothing else",
    "z ~ age": "there is no column 'z'",
    "age + sex": "names none; name the column to predict",
}


@pytest.mark.parametrize("formula", FORMULAS)
def test_formulas_that_are_refused(formula):
    with pytest.raises(InputError, match=FORMULAS[formula]):
        make_dataset(FRAME, None, formula=formula, weights="w")


def test_two_targets_contradict_each_other():
    with pytest.raises(InputError, match="the target is 'y' in the formula and 'w' besides"):
        make_dataset(FRAME, "w", formula="y ~ age")
    with pytest.raises(InputError, match="in the formula and another besides"):
        make_dataset(FRAME, np.arange(N), formula="y ~ age")
    with pytest.raises(InputError, match="no target was given, or a formula that names it"):
        make_dataset(FRAME, None)


def test_interactions_are_all_pairs_or_those_named():
    def pairs(asked, frame=FRAME):
        data = make_dataset(frame, "y", interactions=asked, exclude=["w"])
        return [":".join(f.text for f in term) for term in data.structure.terms]

    mains = ["age", "dose (mg)", "sex", "grade"]
    assert len(pairs("all")) == 4 + 6
    assert pairs("all") == pairs(["all"]) == pairs("*:*")
    assert pairs("sex:age") == pairs([("age", "sex")]) == [*mains, "age:sex"]
    assert pairs(["sex:*", "age:sex"]) == [*mains, "age:sex", "dose (mg):sex", "sex:grade"]
    odd = FRAME.rename({"age": "age:now"})
    assert pairs("age:now:sex", odd)[-1] == "age:now:sex"


PAIRS = {
    "age:ses": "'ses' is not among the features; did you mean 'sex'",
    "age": "'age' is no pair",
    "age:age": "'age' with itself",
    "age:patient_id": "'patient_id' is not among the features",
}


@pytest.mark.parametrize("asked", PAIRS)
def test_pairs_that_are_refused(asked):
    with pytest.raises(InputError, match=PAIRS[asked]):
        make_dataset(FRAME, "y", interactions=asked)


def test_other_requests_that_are_refused():
    with pytest.raises(InputError, match="no pair is named"):
        make_dataset(FRAME, "y", interactions=[])
    with pytest.raises(InputError, match="has 3 columns; expected pairs"):
        make_dataset(FRAME, "y", interactions=[("age", "sex", "grade")])
    with pytest.raises(InputError, match="the table has 1 feature"):
        make_dataset(FRAME.select("age", "y"), "y", interactions="all")
    with pytest.raises(InputError, match="write the interactions into the formula"):
        make_dataset(FRAME, None, formula="y ~ age", interactions="all")
    with pytest.raises(InputError, match="a formula needs a table with named columns"):
        make_dataset(np.ones((9, 2)), np.arange(9.0), formula="~ x0")


def test_without_formulaic_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "formulaic", None)
    with pytest.raises(InputError, match=r"pip install 'bridle\[formula\]'"):
        make_dataset(FRAME, None, formula="y ~ age")
