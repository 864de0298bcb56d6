"""Tables in: reading, column kinds, and the :class:`Dataset` that everything else starts from."""

from __future__ import annotations

from bridle.data.dataset import Dataset, make_dataset
from bridle.data.kinds import Column
from bridle.data.reading import Table, iter_batches, read_table
from bridle.data.streams import sha256_file

__all__ = ["Column", "Dataset", "Table", "iter_batches", "make_dataset", "read_table", "sha256_file"]
