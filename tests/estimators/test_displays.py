"""Displays: what is drawn is what the values say."""

import subprocess
import sys

import matplotlib
import numpy as np
import pytest

import bridle
from bridle.diagnosis.verdict import Interval, LearningCurve
from bridle.errors import InputError
from bridle.estimators import ElasticNet, LassoCV, LogisticRegressionCV, Ridge, RidgeCV

matplotlib.use("Agg")
from matplotlib import pyplot


@pytest.fixture(autouse=True)
def close_figures():
    yield
    pyplot.close("all")


@pytest.fixture(scope="module")
def lasso(diabetes):
    import pandas as pd

    X = pd.DataFrame(diabetes[0], columns=[f"f{j}" for j in range(10)])
    return LassoCV(rule="1se", alphas=30).fit(X, diabetes[1])


def test_path_of_an_estimator(lasso):
    display = bridle.PathDisplay.from_estimator(lasso)
    path = lasso.path_
    assert display.figure_ is display.ax_.figure
    ever = np.flatnonzero(np.abs(path.coef).max(axis=0))
    assert len(display.lines_) == len(ever)
    for line in display.lines_:
        j = int(line.get_label()[1:])
        assert np.array_equal(line.get_ydata(), path.coef[:, j])
        assert np.array_equal(line.get_xdata(), path.lambdas)
    leading = [int(line.get_label()[1:]) for line in display.lines_[:3]]
    assert set(leading) == set(np.argsort(-np.abs(path.coef[lasso.selection_.index]))[:3])
    marks = [line.get_xdata()[0] for line in display.ax_.lines if len(line.get_xdata()) == 2]
    assert lasso.alpha_ in marks
    left, right = display.ax_.get_xlim()
    assert left == path.lambdas[0] > right  # complexity grows to the right


@pytest.mark.parametrize(
    ("x", "expected"), [("l1 norm", lambda p: np.abs(p.coef).sum(axis=1)), ("deviance", lambda p: p.deviance_ratio)]
)
def test_path_on_other_axes(diabetes, x, expected):
    path = bridle.fit_path(*diabetes, n_lambdas=12)
    figure, ax = pyplot.subplots()
    display = bridle.PathDisplay.from_path(path, x=x, ax=ax, n_labels=2)
    assert display.ax_ is ax and display.figure_ is figure
    np.testing.assert_allclose(display.lines_[0].get_xdata(), expected(path))
    assert len(ax.texts) == 2


def test_path_on_the_standardised_scale(diabetes):
    X = diabetes[0] * np.logspace(-3, 3, 10)
    path = bridle.fit_path(X, diabetes[1], n_lambdas=12)
    display = bridle.PathDisplay.from_path(path, standardized=True)
    by_name = {line.get_label(): line.get_ydata() for line in display.lines_}
    np.testing.assert_allclose(by_name["x3"], path.coef[:, 3] * X[:, 3].std())


def test_names_do_not_lie_on_each_other(diabetes):
    display = bridle.PathDisplay.from_path(bridle.fit_path(*diabetes, n_lambdas=12))
    low, high = display.ax_.get_ylim()
    heights = np.sort([text.xy[1] for text in display.ax_.texts])
    assert len(heights) == 10 and np.diff(heights).min() >= 0.0419 * (high - low)


def test_validation_curve(lasso):
    display = bridle.ValidationCurveDisplay.from_estimator(lasso)
    curve = lasso.curve_
    assert np.array_equal(display.line_.get_ydata(), curve.mean)
    assert np.array_equal(display.train_line_.get_ydata(), curve.train_mean)
    band = display.band_.get_paths()[0].vertices[:, 1]
    assert band.max() == pytest.approx((curve.mean + curve.standard_error).max())
    assert band.min() == pytest.approx((curve.mean - curve.standard_error).min())
    assert display.min_line_.get_xdata()[0] == curve.values[np.argmin(curve.mean)]
    assert display.chosen_line_.get_xdata()[0] == lasso.alpha_
    labels = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert "chosen (1se)" in labels and "held-out rows" in labels
    assert bridle.ValidationCurveDisplay.from_estimator(lasso, train=False).train_line_ is None


def test_validation_curve_without_estimator(lasso):
    display = bridle.ValidationCurveDisplay.from_curve(lasso.curve_, color="black")
    assert display.chosen_line_.get_xdata()[0] == lasso.alpha_
    assert display.line_.get_color() == "black"
    assert bridle.ValidationCurveDisplay.from_curve(lasso.curve_, rule=None).chosen_line_ is None


def test_zero_penalty_has_a_place_on_the_axis(diabetes):
    model = LassoCV(alphas=[10.0, 1.0, 0.01, 0.0]).fit(*diabetes)
    display = bridle.ValidationCurveDisplay.from_estimator(model)
    display.figure_.canvas.draw()
    assert display.ax_.get_xscale() == "symlog"
    assert np.isfinite(display.ax_.transData.transform(np.column_stack([model.alphas_, model.curve_.mean]))).all()


def test_displays_of_the_other_classes(diabetes, cancer):
    ridge = RidgeCV([0.1, 1.0, 1e3]).fit(*diabetes)
    assert bridle.ValidationCurveDisplay.from_estimator(ridge).line_.get_xdata()[0] == 1e3 / len(diabetes[1])
    logistic = LogisticRegressionCV(Cs=[0.01, 0.1, 1.0]).fit(*cancer)
    display = bridle.PathDisplay.from_estimator(logistic)
    assert display.chosen == pytest.approx(1 / (logistic.C_[0] * len(cancer[1])))


def test_learning_curve_of_an_estimator(diabetes):
    display = bridle.LearningCurveDisplay.from_estimator(Ridge(), *diabetes, n_splits=4, shares=(0.2, 0.6, 1.0))
    n = display.line_.get_xdata()
    assert np.all(np.diff(n) > 0) and n[-1] == pytest.approx(len(diabetes[1]) * 0.75, abs=1)
    test, train = display.line_.get_ydata(), display.train_line_.get_ydata()
    assert test[0] > test[-1] > train[-1]
    from sklearn.model_selection import KFold, cross_val_score

    folds = KFold(4, shuffle=True, random_state=0)
    reference = -cross_val_score(Ridge(), *diabetes, cv=folds, scoring="neg_mean_squared_error").mean()
    assert test[-1] == pytest.approx(reference, rel=0.05)


def test_learning_curve_of_a_classifier(cancer):
    X, y = cancer
    display = bridle.LearningCurveDisplay.from_estimator(
        LogisticRegressionCV(Cs=[0.1]), X, np.array(["a", "b"])[y], n_splits=3, shares=(0.5, 1.0)
    )
    assert display.ax_.get_ylabel() == "binomial deviance per row"
    assert 0.0 < display.line_.get_ydata()[-1] < 2.0


def test_learning_curve_of_a_verdict():
    spans = tuple(Interval(v, v - 0.1, v + 0.2) for v in (3.0, 2.0))
    curve = LearningCurve((10, 20), spans, tuple(Interval(v.value + 1, v.lower + 1, v.upper + 1) for v in spans))
    display = bridle.LearningCurveDisplay.from_verdict(curve)
    assert list(display.line_.get_ydata()) == [4.0, 3.0]
    assert display.band_.get_paths()[0].vertices[:, 1].max() == pytest.approx(4.2)
    assert display.train_band_.get_paths()[0].vertices[:, 1].min() == pytest.approx(1.9)


def test_clear_refusals(diabetes, lasso):
    with pytest.raises(InputError, match="no path of several lambdas"):
        bridle.PathDisplay.from_estimator(ElasticNet().fit(*diabetes))
    with pytest.raises(InputError, match="no validation curve"):
        bridle.ValidationCurveDisplay.from_estimator(ElasticNet())
    with pytest.raises(InputError, match="one for each"):
        bridle.PathDisplay.from_estimator(lasso, feature_names=["a"])
    with pytest.raises(InputError, match="x must be"):
        bridle.PathDisplay.from_estimator(lasso, x="time")


def test_without_matplotlib():
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "import numpy as np, bridle\n"
        "X = np.arange(12.0).reshape(6, 2) ** 2\n"
        "path = bridle.fit_path(X, X[:, 0])\n"
        "try:\n    bridle.PathDisplay.from_path(path)\n"
        "except bridle.errors.MissingExtraError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'bridle[plot]'" in done.stdout
