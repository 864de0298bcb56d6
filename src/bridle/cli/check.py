"""``bridle check``: the verdict on somebody's saved scikit-learn model."""

from __future__ import annotations

import importlib
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bridle.cli.config import read_config

if TYPE_CHECKING:
    from bridle.data import Dataset, Table

EPILOG = """[bold]Examples[/bold]

bridle check forest.skops patients.csv --target diagnosis

bridle check forest.joblib patients.csv --target diagnosis --trust

bridle check forest.joblib patients.csv --target diagnosis --trust --fail-on overfitting

bridle check cox.joblib patients.csv --target months --event died --trust
"""

PICKLES = (".joblib", ".pkl", ".pickle")
# skops warns that a hostile tree can crash predict(); only an unfitted clone is used here, its nodes are never read
HARMLESS = {"sklearn.tree._tree.Tree"}


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("check", epilog=EPILOG)(check)


def check(
    *,
    model: Annotated[
        FilePath, typer.Argument(metavar="MODEL", help="A scikit-learn model: .skops, or .joblib/.pkl with --trust.")
    ],
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="Table with the features and the target; - for standard input.")
    ],
    target: Annotated[str, typer.Option("--target", "-t", help="Column that the model predicts.")],
    trust: Annotated[
        bool, typer.Option("--trust", help="Open a pickle, which can run any code on this machine.")
    ] = False,
    family: Annotated[
        str | None,
        typer.Option(help="gaussian, binomial, poisson, ... as for fit.", show_default="by the model"),
    ] = None,
    weights: Annotated[str | None, typer.Option(help="Column of row weights.")] = None,
    groups: Annotated[str | None, typer.Option(help="Column whose rows stay together in the folds.")] = None,
    time: Annotated[str | None, typer.Option(help="Column of time: judge on later rows only.")] = None,
    event: Annotated[
        str | None, typer.Option(help="Column that says whether the event happened; the target is then the time to it.")
    ] = None,
    start: Annotated[str | None, typer.Option(help="Column of times of entry, with --event.")] = None,
    strata: Annotated[str | None, typer.Option(help="Column of strata, with --event.")] = None,
    margin: Annotated[float, typer.Option(help="Excess error that matters; 0.05 is 5 %.")] = 0.05,
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 0,
    n_jobs: Annotated[int | None, typer.Option(help="Threads.", show_default="all cores")] = None,
    fail_on: Annotated[
        str | None, typer.Option(help="Exit with 10 if the verdict is among these; with commas.")
    ] = None,
    config: Annotated[
        FilePath | None,
        typer.Option(help="TOML file with any of these options.", callback=read_config, is_eager=True),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the verdict as JSON.")] = False,
) -> None:
    """Tell whether a saved scikit-learn model over- or underfits, by refitting it on folds of a table."""
    from bridle.cli.console import Bar
    from bridle.cli.gate import parse_labels
    from bridle.cli.verdict import print_verdict, verdict_json

    gate = parse_labels(fail_on)
    estimator = open_estimator(model, trust=trust)
    from sklearn.base import clone

    from bridle.data import make_dataset, read_table
    from bridle.diagnosis import diagnose

    table = read_table(file)
    data = make_dataset(
        table, target, family=family, weights=weights, groups=groups, time=time, event=event, start=start, strata=strata
    )
    beside = (target, weights, groups, time, event, start, strata, *data.responses)
    aside = {name for name in beside if name is not None}
    several = data.y.ndim == 2 and bool(data.classes)
    with Bar(quiet=quiet) as bar:
        diagnosis = diagnose(
            clone(estimator),
            features_for(estimator, table, data, aside),
            data.y.argmax(axis=1) if several else data.y,
            family=data.family if several or data.survival else family,
            sample_weight=data.weights,
            groups=data.groups,
            time=data.time,
            margin=margin,
            seed=seed,
            n_jobs=n_jobs,
            progress=bar,
        )
    print(verdict_json(diagnosis.verdict)) if as_json else print_verdict(diagnosis.verdict)
    gate.check(diagnosis.verdict.label)


def open_estimator(path: FilePath, *, trust: bool) -> Any:
    """Load a saved estimator; a pickle only where the user says that its origin is trusted.

    Raises
    ------
    InputError
        The file is a pickle and ``trust`` is False, or holds no estimator.
    """
    from bridle.errors import FileFormatError, InputError

    if not path.is_file():
        raise FileNotFoundError(2, "No such file", str(path))
    ending = path.suffix.lower()
    if ending == ".bridle":
        raise InputError(f"{path} is bridle's own model; its verdict is in its study: bridle info {path}")
    if ending == ".skops":
        estimator = _open_skops(path, trust=trust)
    elif ending in PICKLES:
        if not trust:
            raise InputError(
                f"{path} is a pickle, and opening a pickle can run any code with your rights. If you know who made it, "
                "add --trust; else ask for the model in the .skops format, which is safe to open"
            )
        try:
            import joblib

            estimator = joblib.load(path)
        except Exception as error:  # a pickle can raise anything while it is opened
            raise FileFormatError(
                f"{path} can't be opened as a pickle: {type(error).__name__}: {error!s:.300}"
            ) from error
    else:
        raise InputError(f"{path.name} ends in {ending or 'nothing'!r}; expected .skops, {', '.join(PICKLES)}")
    if not (hasattr(estimator, "fit") and hasattr(estimator, "predict") and hasattr(estimator, "get_params")):
        raise InputError(f"{path} holds a {type(estimator).__name__}; expected a scikit-learn estimator (fit, predict)")
    return estimator


def _open_skops(path: FilePath, *, trust: bool) -> Any:
    from bridle.errors import FileFormatError, InputError, MissingExtraError

    try:
        skops_io = importlib.import_module("skops.io")
    except ImportError:
        raise MissingExtraError("reading .skops needs the package skops; install it with: pip install skops") from None
    try:
        unknown = skops_io.get_untrusted_types(file=path)
        doubtful = ", ".join(sorted(set(unknown) - HARMLESS))
        if doubtful and not trust:
            raise InputError(f"{path} holds types that skops doesn't know to be safe: {doubtful}; add --trust")
        return skops_io.load(path, trusted=unknown)
    except InputError:
        raise
    except Exception as error:  # skops raises many kinds for damaged files
        raise FileFormatError(f"{path} isn't a readable .skops file: {error!s:.300}") from error


def features_for(estimator: Any, table: Table, data: Dataset, aside: set[str]) -> Any:
    """Give the table's features in the shape and order that the estimator was trained on.

    Raises
    ------
    InputError
        The table lacks a column that the estimator names, or has another number of them.
    """
    from bridle.errors import InputError

    assert table.frame is not None  # a file is never read as a bare matrix
    frame = table.frame[data.rows]
    names = getattr(estimator, "feature_names_in_", None)
    if names is not None:
        lacking = [str(name) for name in names if name not in frame.columns]
        if lacking:
            raise InputError(f"the model was trained on columns that the table lacks: {', '.join(lacking)}")
        return _pandas(frame.select([str(name) for name in names]))
    others = [name for name in frame.columns if name not in aside]
    count = getattr(estimator, "n_features_in_", len(others))
    if count != len(others):
        raise InputError(
            f"the model was trained on {count} columns without names; the table has {len(others)} beside the target. "
            "Give a table with those columns only, in the same order"
        )
    return frame.select(others).to_numpy()


def _pandas(frame: Any) -> Any:
    """Give a pandas frame where pandas is installed, which most saved pipelines expect; else the polars frame."""
    try:
        import pandas
    except ImportError:
        return frame
    return pandas.DataFrame({name: frame[name].to_numpy() for name in frame.columns})
