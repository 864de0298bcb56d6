"""What is drawn again: rows, whole groups or blocks of time, in the bootstrap and in the verdict's subsample."""

import numpy as np
import pytest

import bridle
from bridle.data import make_dataset
from bridle.design import Encoder
from bridle.job import judging, stability
from bridle.job.fitting import Problem
from bridle.losses import get_family


def problem_of(n, family="gaussian", groups=None, time=None, weight=None, rate=0.3):
    rng = np.random.default_rng(0)
    y = (rng.random(n) < rate).astype(float) if family == "binomial" else rng.normal(size=n)
    data = make_dataset(rng.normal(size=(n, 2)), y, family=family)
    design = Encoder.fit(data).transform(data)
    return Problem(design, y, get_family(family), weight, None, groups, time, None)


def samples(problem, count=400):
    rng, draw = np.random.default_rng(1), stability._drawer(problem)
    return np.array([draw(rng) for _ in range(count)])


def test_rows_are_drawn_with_replacement():
    drawn = samples(problem_of(50))
    assert np.all(drawn.sum(axis=1) == 50)
    assert drawn.mean(axis=0) == pytest.approx(1.0, abs=0.25) and drawn.var() == pytest.approx(0.98, abs=0.05)


def test_a_group_is_drawn_whole_or_not_at_all():
    groups = np.repeat(["a", "b", "c", "d", "e"], [1, 4, 2, 7, 3])
    drawn = samples(problem_of(17, groups=groups))
    for label in np.unique(groups):
        mine = drawn[:, groups == label]
        assert np.all(mine == mine[:, :1]) and mine[:, 0].mean() == pytest.approx(1.0, abs=0.2)


def test_rows_near_in_time_are_drawn_together_and_all_as_often():
    time = np.random.default_rng(3).permutation(64)
    drawn = samples(problem_of(64, time=time), 2000)[:, np.argsort(time)]
    assert np.all(drawn.sum(axis=1) == 64)
    assert drawn.mean(axis=0) == pytest.approx(1.0, abs=0.2)
    next_to = np.corrcoef(drawn[:, :-1].ravel(), drawn[:, 1:].ravel())[0, 1]
    apart = np.corrcoef(drawn[:, :-8].ravel(), drawn[:, 8:].ravel())[0, 1]
    assert next_to == pytest.approx(0.75, abs=0.05) and apart == pytest.approx(-1 / 16, abs=0.02)  # blocks of 4 share 3


def test_intervals_of_grouped_rows_are_wider_than_those_of_rows():
    """A feature of the patient, measured at 8 visits: 20 patients know as much as 20 rows, not 160."""
    rng = np.random.default_rng(4)
    patient = np.repeat(np.arange(25), 8)
    x = rng.normal(size=25)[patient]
    y = x + rng.normal(size=25)[patient] + 0.1 * rng.normal(size=200)
    quick = {"models": ["lasso"], "bootstrap": 40, "challengers": False, "learning_curve": False, "holdout": 0.0}
    width = {}
    for name, groups in (("group", patient), ("row", None)):
        study = bridle.study(np.column_stack([x, rng.normal(size=200)]), y, groups=groups, **quick)
        lasso = study.result.model("lasso")
        one = max(lasso.coefficients, key=lambda c: abs(c.value))
        width[name] = one.upper - one.lower
    assert width["group"] > 1.8 * width["row"]


@pytest.fixture
def fewer(monkeypatch):
    monkeypatch.setattr(judging, "MOST_ROWS", 200)
    monkeypatch.setattr(judging, "LEAST_OF_CLASS", 20)


def test_the_verdicts_rows_are_whole_groups(fewer):
    groups = np.random.default_rng(0).integers(0, 150, 1000)
    problem = problem_of(1000, groups=groups)
    part, (note,) = judging._affordable(problem, 0)
    kept = np.unique(part.groups)
    assert part.y.size == np.isin(groups, kept).sum() and 180 <= part.y.size <= 200
    assert "whole groups" in note and f"{part.y.size} of 1,000" in note


def test_the_verdicts_rows_keep_the_rarer_class(fewer):
    part, _ = judging._affordable(problem_of(1000, "binomial", rate=0.3), 0)
    assert part.y.size == pytest.approx(200, abs=1) and part.y.mean() == pytest.approx(0.3, abs=0.03)
    rare = problem_of(1000, "binomial", rate=0.04)
    part, _ = judging._affordable(rare, 0)
    assert part.y.sum() == pytest.approx(20, abs=1) and part.y.mean() == pytest.approx(rare.y.mean(), rel=0.05)
    assert judging._affordable(problem_of(150), 0)[1] == ()
