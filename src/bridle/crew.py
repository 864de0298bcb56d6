"""Running the parts of a job on threads, with progress told from the thread that asked."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TypeVar

from bridle.errors import InputError

T = TypeVar("T")
S = TypeVar("S")


class Crew:
    """``n_jobs`` threads (-1: one per processor) that share a count of ``total`` steps.

    Parameters
    ----------
    n_jobs : int
        Threads; 1 works in the calling thread.
    total : int
        Steps of all calls of :meth:`map` together.
    progress : callable or None
        Called as ``progress(done, total)`` after each step, from the calling thread.
    """

    def __init__(self, n_jobs: int, total: int, progress: Callable[[int, int], None] | None) -> None:
        if n_jobs < 1 and n_jobs != -1:
            raise InputError(f"n_jobs is {n_jobs}, expected a number of threads, or -1 for one per processor")
        self.threads = (os.cpu_count() or 1) if n_jobs == -1 else int(n_jobs)
        self._total = total
        self._progress = progress
        self._done = 0

    def map(self, function: Callable[[T], S], items: Iterable[T]) -> list[S]:
        """Apply ``function`` to each item; results in the items' order, the first error raised and the rest dropped."""
        return self._map(function, list(items), 1)

    def each(self, function: Callable[[T], S], items: Iterable[T]) -> Iterator[S]:
        """The same, uncounted; one thread makes a result once it's asked for, so that they needn't be held together."""
        if self.threads == 1:
            return (function(item) for item in items)
        return iter(self._map(function, list(items), 0))

    def _map(self, function: Callable[[T], S], tasks: list[T], step: int) -> list[S]:
        if self.threads == 1 or len(tasks) < 2:
            results = []
            for task in tasks:
                results.append(function(task))
                self.tick(step)
            return results
        with ThreadPoolExecutor(min(self.threads, len(tasks))) as pool:
            futures = [pool.submit(function, task) for task in tasks]
            try:
                for future in as_completed(futures):
                    future.result()
                    self.tick(step)
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        return [future.result() for future in futures]

    def tick(self, steps: int = 1) -> None:
        """Count steps that are done, and tell.

        Parameters
        ----------
        steps : int
            How many at once.
        """
        self._done += steps
        if steps and self._progress is not None:
            self._progress(self._done, self._total)
