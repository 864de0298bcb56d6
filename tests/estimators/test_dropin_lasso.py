"""Lasso, ElasticNet and their CV classes against scikit-learn's at tight tolerance."""

import numpy as np
import pytest
import sklearn.linear_model as peer
from sklearn.model_selection import GroupKFold, KFold, ShuffleSplit

import bridle.estimators as ours

TIGHT = {"tol": 1e-13, "max_iter": 200_000}


def same_fit(mine, theirs, X, y, weight=None, rtol=1e-6):
    """Coefficients, intercept, predictions, score and shapes agree."""
    assert np.shape(mine.coef_) == np.shape(theirs.coef_)
    assert np.shape(mine.intercept_) == np.shape(theirs.intercept_)
    scale = np.abs(theirs.coef_).max() or 1.0
    np.testing.assert_allclose(mine.coef_, theirs.coef_, rtol=rtol, atol=rtol * scale)
    np.testing.assert_allclose(mine.intercept_, theirs.intercept_, rtol=rtol, atol=rtol * np.abs(y).max())
    np.testing.assert_allclose(mine.predict(X), theirs.predict(X), rtol=rtol, atol=rtol * np.abs(y).max())
    assert mine.score(X, y, weight) == pytest.approx(theirs.score(X, y, weight), rel=1e-5, abs=1e-7)


@pytest.mark.parametrize("alpha", [0.01, 1.0, 30.0, 1e4])
@pytest.mark.parametrize("ratio", [0.1, 0.7, 1.0])
@pytest.mark.parametrize("extra", [{}, {"fit_intercept": False}, {"positive": True}], ids=str)
def test_elastic_net(diabetes, alpha, ratio, extra):
    X, y = diabetes
    mine = ours.ElasticNet(alpha=alpha, l1_ratio=ratio, **extra).fit(X, y)
    theirs = peer.ElasticNet(alpha=alpha, l1_ratio=ratio, **extra, **TIGHT).fit(X, y)
    same_fit(mine, theirs, X, y)


@pytest.mark.parametrize("name", ["Lasso", "ElasticNet"])
@pytest.mark.parametrize("weighted", [False, True])
def test_more_features_than_rows(wide, weights, name, weighted):
    X, y = wide
    w = weights(len(y)) if weighted else None
    mine = getattr(ours, name)(alpha=0.3).fit(X, y, sample_weight=w)
    theirs = getattr(peer, name)(alpha=0.3, **TIGHT).fit(X, y, sample_weight=w)
    same_fit(mine, theirs, X, y, w)
    assert np.array_equal(mine.sparse_coef_.indices, theirs.sparse_coef_.indices)
    assert type(mine.sparse_coef_) is type(theirs.sparse_coef_)


@pytest.mark.parametrize("name", ["Lasso", "ElasticNet", "LassoCV", "ElasticNetCV"])
def test_containers(diabetes, container, name):
    X, y = diabetes
    kind, make = container
    given = make(X)
    cls, base = getattr(ours, name), getattr(peer, name)
    mine = cls(**({} if "CV" in name else {"alpha": 2.0})).fit(given, y)
    seen = given if kind == "pandas" else X
    theirs = base(**({} if "CV" in name else {"alpha": 2.0}), **TIGHT).fit(seen, y)
    same_fit(mine, theirs, seen, y, rtol=1e-4 if kind == "float32" else 1e-6)
    if kind == "float32":
        assert mine.coef_.dtype == np.float32
        assert mine.predict(given).dtype == np.float32
    if kind == "pandas":
        assert list(mine.feature_names_in_) == list(given.columns)
    np.testing.assert_allclose(mine.predict(given), theirs.predict(seen), rtol=1e-4)


def test_sparse_values_are_centred_implicitly():
    from scipy import sparse

    rng = np.random.default_rng(0)
    X = sparse.random_array((60, 30), density=0.2, rng=rng, format="csr")
    y = X @ rng.normal(size=30) + 0.1 * rng.normal(size=60)
    same_fit(ours.Lasso(alpha=0.01).fit(X, y), peer.Lasso(alpha=0.01, **TIGHT).fit(X.toarray(), y), X, y)


@pytest.mark.parametrize("name", ["Lasso", "ElasticNet"])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_several_targets(diabetes, weights, name, fit_intercept):
    X, y = diabetes
    Y = np.column_stack([y, -0.5 * y + X[:, 0], X[:, 1] ** 2])
    w = weights(len(y))
    mine = getattr(ours, name)(alpha=0.5, fit_intercept=fit_intercept).fit(X, Y, sample_weight=w)
    theirs = getattr(peer, name)(alpha=0.5, fit_intercept=fit_intercept, **TIGHT).fit(X, Y, sample_weight=w)
    same_fit(mine, theirs, X, Y, w)
    assert np.shape(mine.dual_gap_) == np.shape(theirs.dual_gap_) == np.shape(mine.relative_gap_) == (3,)
    assert isinstance(mine.n_iter_, list) and len(mine.n_iter_) == len(mine.path_) == 3


def test_one_target_in_a_column(diabetes):
    X, y = diabetes
    mine, theirs = ours.Lasso(alpha=1.0).fit(X, y[:, None]), peer.Lasso(alpha=1.0, **TIGHT).fit(X, y[:, None])
    same_fit(mine, theirs, X, y)


def test_alpha_of_0_is_least_squares(diabetes):
    X, y = diabetes
    same_fit(ours.Lasso(alpha=0.0).fit(X, y), peer.LinearRegression().fit(X, y), X, y)


def test_dual_gap_is_on_the_scale_of_scikit_learn(diabetes):
    X, y = diabetes
    with pytest.warns(UserWarning, match="onverge"):
        theirs = peer.Lasso(alpha=0.1, max_iter=1).fit(X, y)
    objective = lambda m: np.mean((y - m.predict(X)) ** 2) / 2 + 0.1 * np.abs(m.coef_).sum()  # noqa: E731
    mine = ours.Lasso(alpha=0.1).fit(X, y)
    assert objective(theirs) - objective(mine) <= theirs.dual_gap_ * (1 + 1e-9)
    assert 0 <= mine.dual_gap_ < 1e-8 * objective(mine)


@pytest.mark.parametrize(
    "changed", [{"precompute": True}, {"selection": "random", "random_state": 0}, {"copy_X": False}]
)
def test_parameters_of_the_solver_change_nothing(diabetes, changed):
    X, y = diabetes
    before = X.copy()
    plain = ours.Lasso(alpha=0.5).fit(X, y)
    assert np.array_equal(plain.coef_, ours.Lasso(alpha=0.5, **changed).fit(X, y).coef_)
    assert np.array_equal(X, before)


def test_precomputed_gram_matrix(diabetes):
    X, y = diabetes
    centred = X - X.mean(axis=0)
    gram = centred.T @ centred
    same_fit(
        ours.Lasso(0.5, precompute=gram).fit(centred, y),
        peer.Lasso(0.5, precompute=gram, **TIGHT).fit(centred, y),
        centred,
        y,
    )
    with pytest.raises(ValueError, match="precompute"):
        ours.Lasso(precompute=gram[:3]).fit(X, y)


def test_warm_start(diabetes):
    X, y = diabetes
    model = ours.Lasso(alpha=1.0, warm_start=True).fit(X, y)
    model.set_params(alpha=0.2).fit(X, y)
    same_fit(model, peer.Lasso(alpha=0.2, **TIGHT).fit(X, y), X, y)


# Cross-validation -----------------------------------------------------------------------------------------------

FOLDS = [None, 3, KFold(4, shuffle=True, random_state=0), ShuffleSplit(3, test_size=0.3, random_state=1)]


def same_choice(mine, theirs):
    np.testing.assert_allclose(mine.alphas_, theirs.alphas_, rtol=1e-9)
    assert np.shape(mine.mse_path_) == np.shape(theirs.mse_path_)
    np.testing.assert_allclose(mine.mse_path_, theirs.mse_path_, rtol=2e-5)
    assert mine.alpha_ == pytest.approx(theirs.alpha_, rel=1e-9)


@pytest.mark.parametrize("cv", FOLDS, ids=str)
@pytest.mark.parametrize(
    "extra", [{}, {"fit_intercept": False}, {"positive": True}, {"eps": 1e-2, "alphas": 17}], ids=str
)
def test_lasso_cv(diabetes, cv, extra):
    X, y = diabetes
    mine = ours.LassoCV(cv=cv, **extra).fit(X, y)
    theirs = peer.LassoCV(cv=cv, **extra, **TIGHT).fit(X, y)
    same_choice(mine, theirs)
    same_fit(mine, theirs, X, y)
    assert not hasattr(mine, "l1_ratio_")


@pytest.mark.parametrize("weighted", [False, True])
def test_lasso_cv_wide(wide, weights, weighted):
    X, y = wide
    w = weights(len(y)) if weighted else None
    mine, theirs = ours.LassoCV(eps=0.05).fit(X, y, w), peer.LassoCV(eps=0.05, **TIGHT).fit(X, y, w)
    same_choice(mine, theirs)
    same_fit(mine, theirs, X, y, w)


@pytest.mark.parametrize("ratio", [0.5, [0.2, 0.5, 0.95], [1.0]], ids=str)
@pytest.mark.parametrize("alphas", [20, (0.3, 3.0, 0.01, 0.3), [1.0]], ids=str)
def test_elastic_net_cv(diabetes, weights, ratio, alphas):
    X, y = diabetes
    w = weights(len(y))
    mine = ours.ElasticNetCV(l1_ratio=ratio, alphas=alphas).fit(X, y, sample_weight=w)
    theirs = peer.ElasticNetCV(l1_ratio=ratio, alphas=alphas, **TIGHT).fit(X, y, sample_weight=w)
    same_choice(mine, theirs)
    assert mine.l1_ratio_ == theirs.l1_ratio_
    same_fit(mine, theirs, X, y, w)


def test_ridge_grid_given(diabetes):
    X, y = diabetes
    mine = ours.ElasticNetCV(l1_ratio=0.0, alphas=[1.0, 0.1, 0.0]).fit(X, y)
    same_fit(mine, peer.Ridge(alpha=mine.alpha_ * len(y)).fit(X, y), X, y)


def test_groups_reach_the_splitter(diabetes):
    X, y = diabetes
    groups = np.arange(len(y)) % 7
    mine = ours.LassoCV(cv=GroupKFold(7)).fit(X, y, groups=groups)
    pairs = list(GroupKFold(7).split(X, y, groups))
    theirs = peer.LassoCV(cv=pairs, **TIGHT).fit(X, y)
    same_choice(mine, theirs)


def test_threads_change_nothing(diabetes):
    X, y = diabetes
    one, two = ours.LassoCV(n_jobs=1).fit(X, y), ours.LassoCV(n_jobs=2).fit(X, y)
    assert np.array_equal(one.mse_path_, two.mse_path_) and np.array_equal(one.coef_, two.coef_)
