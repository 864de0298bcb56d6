"""The lesson's fits against independent solutions, its claim over many draws, and the page that quotes it."""

import json
import re
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.interpolate import BSpline
from sklearn.linear_model import Lasso as PeerLasso

from bridle.frozen import from_json, to_json
from bridle.job.lesson import BUMPS, GRID, NOISE, POINTS, REACH, bumps, make_lesson
from bridle.job.words import number
from bridle.results import Lesson

ROOT = Path(__file__).parent.parent.parent
PAGE = ROOT / "docs" / "what-regularisation-does.md"
NAMES = ("unregularised", "ridge", "lasso", "dropout")


@pytest.fixture(scope="module")
def lesson():
    return make_lesson()


@pytest.fixture(scope="module")
def draws():
    return [make_lesson(seed) for seed in range(20)]


def fit_of(lesson, name):
    return next(fit for fit in lesson.fits if fit.name == name)


def setting_of(lesson, name):
    return float(fit_of(lesson, name).setting.split()[-1])


def line(lesson, penalty):
    """The least-squares spline with ``penalty`` on the squared coefficients, by the normal equations."""
    x, y = np.array(lesson.x), np.array(lesson.y)
    X = np.column_stack([np.ones(POINTS), bumps(x)])
    if np.any(penalty):
        coef = np.linalg.solve(X.T @ X / POINTS + np.diag(np.r_[0.0, penalty]), X.T @ y / POINTS)
    else:
        coef = np.linalg.lstsq(X, y, rcond=None)[0]
    return coef[0] + bumps(np.array(lesson.grid)) @ coef[1:]


def test_basis_is_a_cubic_spline():
    x, h = np.linspace(0.0, 1.0, 57), 1.0 / (BUMPS - 1)
    for j in (0, 7, BUMPS - 1):
        knots = j * h + REACH * h * np.arange(-2, 3)
        oracle = np.nan_to_num(BSpline.basis_element(knots, extrapolate=False)(x)) * 1.5  # of height 2/3 by itself
        np.testing.assert_allclose(bumps(x)[:, j], oracle, atol=1e-14)


def test_shapes_and_names(lesson):
    assert len(lesson.x) == len(lesson.y) == POINTS
    assert len(lesson.grid) == len(lesson.truth) == GRID
    assert tuple(fit.name for fit in lesson.fits) == NAMES
    assert all(len(fit.y) == GRID for fit in lesson.fits)
    assert lesson.grid[0] == lesson.x[0] == 0.0 and lesson.grid[-1] == lesson.x[-1] == 1.0  # nothing extrapolated


def test_errors_are_those_of_the_lines(lesson):
    for fit in lesson.fits:
        assert fit.true_error == pytest.approx(np.mean((np.array(fit.y) - lesson.truth) ** 2), rel=2e-3)
        at_points = np.interp(lesson.x, lesson.grid, fit.y)
        rough = 0.1 if fit.name == "unregularised" else 0.01  # between grid points the free line bends
        assert np.sqrt(fit.train_error) == pytest.approx(np.sqrt(np.mean((at_points - lesson.y) ** 2)), abs=rough)


def test_unregularised_is_least_squares(lesson):
    np.testing.assert_allclose(fit_of(lesson, "unregularised").y, line(lesson, np.zeros(BUMPS)), atol=0.02)  # y rounded


def test_ridge_is_ridge(lesson):
    oracle = line(lesson, np.full(BUMPS, setting_of(lesson, "ridge")))
    np.testing.assert_allclose(fit_of(lesson, "ridge").y, oracle, atol=2e-3)  # lambda to two digits


def test_lasso_is_lasso(lesson):
    peer = PeerLasso(setting_of(lesson, "lasso"), tol=1e-10, max_iter=1_000_000).fit(
        bumps(np.array(lesson.x)), lesson.y
    )
    fit = fit_of(lesson, "lasso")
    assert fit.n_nonzero == np.count_nonzero(peer.coef_) < BUMPS
    np.testing.assert_allclose(fit.y, peer.predict(bumps(np.array(lesson.grid))), atol=5e-3)


def test_dropout_is_ridge_by_second_moments(lesson):
    rate = setting_of(lesson, "dropout")
    second_moments = (bumps(np.array(lesson.x)) ** 2).mean(axis=0)
    oracle = line(lesson, rate / (1.0 - rate) * second_moments)
    np.testing.assert_allclose(fit_of(lesson, "dropout").y, oracle, atol=5e-4)


def test_the_picture_shows_overfitting(lesson):
    turns = {fit.name: np.count_nonzero(np.diff(np.sign(np.diff(fit.y)))) for fit in lesson.fits}
    assert turns["unregularised"] >= 10
    assert max(turns[name] for name in NAMES[1:]) <= 3  # the truth has 2
    free = fit_of(lesson, "unregularised")
    assert free.train_error < 0.1 * NOISE**2 < NOISE**2 < free.true_error
    assert max(fit_of(lesson, name).true_error for name in NAMES[1:]) < 0.1 * free.true_error
    assert np.abs(free.y).max() < 2.0  # swings that fit into the chart


def test_lesson_holds_for_other_draws(draws):
    true = np.array([[fit.true_error for fit in lesson.fits] for lesson in draws])
    train = np.array([[fit.train_error for fit in lesson.fits] for lesson in draws])
    assert np.all((true[:, 1:] < true[:, :1]).sum(axis=0) >= 18)
    assert np.all(np.median(true[:, 1:] / true[:, :1], axis=0) < 0.5)
    assert np.all(train[:, :1] < train[:, 1:])
    assert all(fit_of(lesson, "lasso").n_nonzero < BUMPS / 2 for lesson in draws)


def test_texts_are_made_from_the_numbers(draws):
    for lesson in draws[:5]:
        assert str(POINTS) in lesson.text and str(BUMPS) in lesson.text and "cross-validation" in lesson.text
        for fit in lesson.fits:
            assert number(fit.train_error) in fit.text and number(fit.true_error) in fit.text
        assert f" {fit_of(lesson, 'lasso').n_nonzero} of {BUMPS} " in fit_of(lesson, "lasso").text
        assert f" {100 * setting_of(lesson, 'dropout'):.0f} %" in fit_of(lesson, "dropout").text


def test_same_seed_same_lesson(lesson, draws):
    assert make_lesson() == lesson
    assert make_lesson(3) == draws[3] != draws[4]


def test_goes_to_json_and_back(lesson):
    assert from_json(Lesson, json.loads(json.dumps(to_json(lesson), allow_nan=False))) == lesson


def test_no_torch():
    code = "import sys; from bridle.job.lesson import make_lesson; make_lesson(); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def plain(text):
    return re.sub(r"\s*\n(> )?", " ", text)


def test_page_quotes_the_lesson(lesson, draws):
    page = plain(PAGE.read_text(encoding="utf-8"))
    medians = np.median([[fit.true_error for fit in draw.fits] for draw in draws], axis=0)
    for fit, median in zip(lesson.fits, medians, strict=True):
        assert fit.text in page
        errors = f"{number(fit.train_error)} | {number(fit.true_error)} | {number(median, 2)}"
        assert f"| {fit.label} | {fit.setting} | {fit.n_nonzero} | {errors} |" in page
    assert "On all 20 other draws" in page
    assert all(fit.true_error < draw.fits[0].true_error for draw in draws for fit in draw.fits[1:])


def test_page_quotes_the_prices(lesson):
    page = plain(PAGE.read_text(encoding="utf-8"))
    rate = setting_of(lesson, "dropout")
    prices = rate / (1.0 - rate) * (bumps(np.array(lesson.x)) ** 2).mean(axis=0)
    assert f"run from {number(prices.min(), 2)} for" in page and f"to {number(prices.max(), 2)} in the middle" in page
    assert f"where ridge takes {number(setting_of(lesson, 'ridge'))} for each" in page
    apart = np.abs(np.subtract(fit_of(lesson, "ridge").y, fit_of(lesson, "dropout").y)).max()
    assert f"never more than {number(apart, 2)} apart" in page


def test_page_quotes_the_gaps(lesson):
    page = plain(PAGE.read_text(encoding="utf-8"))
    ridge = fit_of(lesson, "ridge")
    new = NOISE**2 + ridge.true_error
    assert f"training error of {number(ridge.train_error)} here" in page
    assert f"errs by {number(NOISE**2)} + {number(ridge.true_error)} on average" in page
    assert f" {100 * (new / ridge.train_error - 1):.0f} % more" in page
    flat_train = np.var(lesson.y)
    flat_new = NOISE**2 + np.mean((np.mean(lesson.y) - np.array(lesson.truth)) ** 2)
    assert flat_new < flat_train  # "no gap at all"
    assert min(lesson.fits, key=lambda fit: fit.true_error).name == "ridge"  # "the best of the four"


def test_page_quotes_the_example(capsys):
    runpy.run_path(str(ROOT / "examples" / "overfitting_made_visible.py"))["main"](None)
    printed = capsys.readouterr().out.split("lasso (L1)")[1]
    heading, *quoted = PAGE.read_text(encoding="utf-8").split("```text\n")[1].split("\n```")[0].splitlines()
    assert heading in printed and len(quoted) == 7
    rows = {row.split()[0]: row.split() for row in printed.splitlines() if row}
    for row in quoted:
        lam, training, held_out, true, kept, *mark = row.split()
        found = rows[lam]
        assert found[5:] == mark and abs(int(found[4]) - int(kept)) <= 1
        # a nearly free polynomial of degree 15 has few digits that every processor agrees on
        for x, y in zip((training, held_out, true), found[1:4], strict=True):
            assert float(x) == pytest.approx(float(y), rel=0.02, abs=0.002)


def test_picture_is_of_the_lesson(lesson):
    drawn = (ROOT / "docs" / "images" / "lesson.svg").read_text(encoding="utf-8")
    for fit in lesson.fits:
        errors = f"training error {number(fit.train_error, 2)}, true error {number(fit.true_error, 2)}"
        assert f"{fit.label}, {fit.setting}: {errors}" in drawn
    assert len(drawn) < 150_000
