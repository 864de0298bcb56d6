"""A long path can be stopped: the core lets Python handle its signals."""

import signal
import sys
import time

import numpy as np
import pytest

from bridle.path import fit_path


@pytest.mark.skipif(sys.platform == "win32", reason="no interval timers")
def test_a_signal_stops_a_path():
    rng = np.random.default_rng(0)
    X = np.asfortranarray(rng.normal(size=(3000, 400)))
    y = (X[:, :50].sum(axis=1) + 3 * rng.normal(size=3000) > 0).astype(float)

    def stop(number, frame):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, stop)
    start = time.monotonic()
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        with pytest.raises(KeyboardInterrupt):
            fit_path(X, y, family="binomial", lambdas=np.geomspace(0.1, 1e-5, 3000), tol=1e-10)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert time.monotonic() - start < 30.0  # the whole path takes minutes
