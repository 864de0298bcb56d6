"""Certified values of the NIST Statistical Reference Datasets for linear regression, at lambda = 0.

Norris and Filip are in the public domain: https://www.itl.nist.gov/div898/strd/lls/lls.shtml
"""

import numpy as np
import pytest

from bridle.path import fit_path

NORRIS_X = [
    0.2, 337.4, 118.2, 884.6, 10.1, 226.5, 666.3, 996.3, 448.6, 777.0, 558.2, 0.4, 0.6, 775.5, 666.9, 338.0, 447.5,
    11.6, 556.0, 228.1, 995.8, 887.6, 120.2, 0.3, 0.3, 556.8, 339.1, 887.2, 999.0, 779.0, 11.1, 118.3, 229.2, 669.1,
    448.9, 0.5,
]  # fmt: skip
NORRIS_Y = [
    0.1, 338.8, 118.1, 888.0, 9.2, 228.1, 668.5, 998.5, 449.1, 778.9, 559.2, 0.3, 0.1, 778.1, 668.8, 339.3, 448.9,
    10.8, 557.7, 228.3, 998.0, 888.8, 119.6, 0.3, 0.6, 557.6, 339.3, 888.0, 998.5, 778.9, 10.2, 117.6, 228.9, 668.4,
    449.2, 0.2,
]  # fmt: skip
FILIP_X = [
    -6.860120914, -4.324130045, -4.358625055, -4.358426747, -6.955852379, -6.661145254, -6.355462942, -6.118102026,
    -7.115148017, -6.815308569, -6.519993057, -6.204119983, -5.853871964, -6.109523091, -5.79832982, -5.482672118,
    -5.171791386, -4.851705903, -4.517126416, -4.143573228, -3.709075441, -3.499489089, -6.300769497, -5.953504836,
    -5.642065153, -5.031376979, -4.680685696, -4.329846955, -3.928486195, -8.56735134, -8.363211311, -8.107682739,
    -7.823908741, -7.522878745, -7.218819279, -6.920818754, -6.628932138, -6.323946875, -5.991399828, -8.781464495,
    -8.663140179, -8.473531488, -8.247337057, -7.971428747, -7.676129393, -7.352812702, -7.072065318, -6.774174009,
    -6.478861916, -6.159517513, -6.835647144, -6.53165267, -6.224098421, -5.910094889, -5.598599459, -5.290645224,
    -4.974284616, -4.64454848, -4.290560426, -3.885055584, -3.408378962, -3.13200249, -8.726767166, -8.66695597,
    -8.511026475, -8.165388579, -7.886056648, -7.588043762, -7.283412422, -6.995678626, -6.691862621, -6.392544977,
    -6.067374056, -6.684029655, -6.378719832, -6.065855188, -5.752272167, -5.132414673, -4.811352704, -4.098269308,
    -3.66174277, -3.2644011,
]  # fmt: skip
FILIP_Y = [
    0.8116, 0.9072, 0.9052, 0.9039, 0.8053, 0.8377, 0.8667, 0.8809, 0.7975, 0.8162, 0.8515, 0.8766, 0.8885, 0.8859,
    0.8959, 0.8913, 0.8959, 0.8971, 0.9021, 0.909, 0.9139, 0.9199, 0.8692, 0.8872, 0.89, 0.891, 0.8977, 0.9035, 0.9078,
    0.7675, 0.7705, 0.7713, 0.7736, 0.7775, 0.7841, 0.7971, 0.8329, 0.8641, 0.8804, 0.7668, 0.7633, 0.7678, 0.7697,
    0.77, 0.7749, 0.7796, 0.7897, 0.8131, 0.8498, 0.8741, 0.8061, 0.846, 0.8751, 0.8856, 0.8919, 0.8934, 0.894, 0.8957,
    0.9047, 0.9129, 0.9209, 0.9219, 0.7739, 0.7681, 0.7665, 0.7703, 0.7702, 0.7761, 0.7809, 0.7961, 0.8253, 0.8602,
    0.8809, 0.8301, 0.8664, 0.8834, 0.8898, 0.8964, 0.8963, 0.9074, 0.9119, 0.9228,
]  # fmt: skip
FILIP_RESIDUAL_SQUARES = 0.795851382172941e-03
FILIP_CONSTANT = -1467.48961422980


def test_norris_to_the_last_certified_digits():
    path = fit_path(np.array(NORRIS_X)[:, None], NORRIS_Y, lambdas=[0.0], tol=1e-12)
    assert path.status == ("converged",)
    np.testing.assert_allclose(path.intercept[0], -0.262323073774029, rtol=1e-12)
    np.testing.assert_allclose(path.coef[0, 0], 1.00211681802045, rtol=1e-13)


@pytest.mark.parametrize("lambdas", [[0.0], [1e-3, 1e-6, 0.0]])
def test_filip_in_powers_to_what_their_condition_number_leaves(lambdas):
    """The standardised powers have condition number 3.8e9: coefficients keep about 16 - 9.6 digits at best.

    X'X has none left, so that the solver alone would stall; the fit by singular values of X is what answers.
    """
    x = np.array(FILIP_X)
    path = fit_path(x[:, None] ** np.arange(1, 11), FILIP_Y, lambdas=lambdas)
    residual = FILIP_Y - path.predict(x[:, None] ** np.arange(1, 11), lam=0.0)
    assert path.status[-1] == "converged"
    assert any("close to dependent" in note for note in path.notes)
    np.testing.assert_allclose(path.intercept[-1], FILIP_CONSTANT, rtol=1e-5)
    np.testing.assert_allclose(residual @ residual, FILIP_RESIDUAL_SQUARES, rtol=1e-5)


def test_filip_in_chebyshev_polynomials_to_twelve_digits():
    """The same space in a basis of condition number 6: only the basis stood in the way."""
    x = np.array(FILIP_X)
    middle, half = x.mean(), np.abs(x - x.mean()).max()
    basis = np.polynomial.chebyshev.chebvander((x - middle) / half, 10)[:, 1:]
    path = fit_path(basis, FILIP_Y, lambdas=[0.0], tol=1e-13)
    residual = FILIP_Y - path.predict(basis)[:, 0]
    np.testing.assert_allclose(residual @ residual, FILIP_RESIDUAL_SQUARES, rtol=1e-12)
    series = np.polynomial.Chebyshev(np.r_[path.intercept, path.coef[0]], domain=[middle - half, middle + half])
    np.testing.assert_allclose(series.convert(kind=np.polynomial.Polynomial).coef[0], FILIP_CONSTANT, rtol=1e-11)
