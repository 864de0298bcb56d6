"""Cross-validated Cox paths: the deviance of held-out rows, folds, degrees of freedom."""

import numpy as np
import pytest

from bridle import fit_path, make_folds
from bridle.errors import DataWarning, InputError
from bridle.selection import cross_validate, effective_df, holdout_split
from bridle.survival import CoxFamily, likelihood


@pytest.mark.parametrize("ties", ["efron", "breslow"])
@pytest.mark.parametrize("kind", [{}, {"tied": True, "late": True, "strata": 2}])
@pytest.mark.parametrize("p", [5, 150])
def test_folds_score_what_their_rows_add(kit, kind, ties, p):
    X, y = kit.problem(60, p, 1, **kind)
    rng = np.random.default_rng(0)
    w, o = rng.integers(1, 3, 60).astype(float), 0.3 * rng.normal(size=60)
    folds = make_folds(y, family="cox", n_splits=4)
    options = {"family": CoxFamily(ties), "l1_ratio": 0.8, "tol": 1e-10}
    result = cross_validate(X, y, folds=folds, n_lambdas=6, lambda_min_ratio=0.05, sample_weight=w, offset=o, **options)
    (curve,), (whole,) = result.curves, result.paths
    events = w * y[:, 2]
    for j, (train, test) in enumerate(folds):
        path = fit_path(X[train], y[train], lambdas=whole.lambdas, sample_weight=w[train], offset=o[train], **options)
        for k in (0, 5):
            eta = o + X @ path.coef[k]

            def deviance(rows, eta=eta):
                loss = likelihood.loss(y[rows], w[rows], eta[rows], ties)
                return 2.0 * (loss - likelihood.saturated(y[rows], w[rows], ties))

            added = deviance(np.arange(60)) - deviance(train)
            assert curve.test_loss[j, k] == pytest.approx(added / events[test].sum(), rel=1e-5)
            assert curve.train_loss[j, k] == pytest.approx(deviance(train) / events[train].sum(), rel=1e-5)
        assert curve.test_weight[j] == events[test].sum()
    assert curve.sum_weight == events.sum()
    assert curve.full_loss[-1] == pytest.approx(whole.deviance[-1] * w.sum() / events.sum(), rel=1e-12)


def test_folds_spread_the_events(kit):
    _, y = kit.problem(103, 2, 2)
    events = int(y[:, 2].sum())
    folds = make_folds(y, family="cox", n_splits=5)
    assert "stratified by event" in folds.description
    counts = [int(y[test, 2].sum()) for _, test in folds]
    assert max(counts) - min(counts) <= 1 and sum(counts) == events
    train, test = holdout_split(y, family="cox(ties='breslow')", fraction=0.25)
    assert y[test, 2].sum() == pytest.approx(0.25 * events, abs=1.0) and len(train) + len(test) == 103
    structured = np.array([(e == 1.0, t) for t, e in y[:, 1:3]], dtype=[("event", bool), ("time", float)])
    for ours, theirs in zip(folds, make_folds(structured, family="cox", n_splits=5), strict=True):
        np.testing.assert_array_equal(ours[1], theirs[1])
    grouped = make_folds(y, family="cox", n_splits=4, groups=np.arange(103) // 3)
    assert all(not set(a // 3) & set(b // 3) for a, b in grouped)


def test_folds_without_events_are_refused(kit):
    X, y = kit.problem(40, 2, 3)
    order = np.argsort(y[:, 2])
    censored, died = order[y[order, 2] == 0.0], order[y[order, 2] == 1.0]
    with pytest.raises(InputError, match="hold no event"):
        make_folds(y, family="cox", splitter=[(censored, died)])
    with pytest.raises(InputError, match="held-out rows of fold 0 hold no event"):
        cross_validate(X, y, folds=[(died, censored)], family="cox")
    y = y.copy()
    y[:, 2] = 0.0
    y[:3, 2] = 1.0
    with pytest.warns(DataWarning, match="only 3 events"):
        assert len(make_folds(y, family="cox")) == 3


def test_degrees_of_freedom_with_a_ridge_part_use_the_hessian(kit):
    X, y = kit.problem(70, 6, 4, tied=True, strata=2)
    w = np.full(70, 1.0 / 70.0)
    path = fit_path(X, y, family="cox", l1_ratio=0.0, lambdas=[0.5, 0.01], tol=1e-10)
    df = effective_df(path, X, y)
    Z = (X - path.mean) / path.scale
    for k in range(2):
        H = likelihood.hessian(y, w, X @ path.coef[k], Z, "efron")
        expected = np.trace(np.linalg.solve(H + path.lambdas[k] * np.eye(6), H))
        assert df[k] == pytest.approx(expected, rel=1e-8)
    lasso = fit_path(X, y, family="cox", n_lambdas=10)
    np.testing.assert_array_equal(effective_df(lasso, X, y), lasso.n_nonzero)


def test_rules_choose_on_the_curve(kit):
    X, y = kit.problem(120, 8, 5)
    result = cross_validate(X, y, folds=5, family="cox", l1_ratio=[1.0, 0.5], n_lambdas=20)
    for rule in ("min", "1se", "within", "aic", "bic"):
        chosen = result.select(rule)
        assert chosen.value in result.curves[chosen.curve].values
    assert result.select("1se").value >= result.select("min").value


def test_scorers_are_given_the_target_and_relative_hazards(kit):
    from bridle import concordance_index

    X, y = kit.problem(80, 4, 6)
    result = cross_validate(
        X, y, folds=4, family="cox", n_lambdas=5,
        scorers={"concordance": lambda model, X, y: concordance_index(y, np.log(model.predict(X)))},
    )  # fmt: skip
    scores = result.curves[0].scores["concordance"]
    assert scores.shape == (4, 5)
    assert np.all((scores >= 0.0) & (scores <= 1.0)) and scores[:, -1].mean() > 0.6
