"""A data frame in; models, a verdict and a report out.

python examples/study_a_table.py [FOLDER]
"""

from __future__ import annotations

import sys

from sklearn.datasets import load_diabetes

import bridle


def main(folder: str | None) -> None:
    """Study the diabetes table and say what was found."""
    table = load_diabetes(as_frame=True, scaled=False).frame
    study = bridle.study(table, target="target", bootstrap=20)

    print(study.verdict.sentence)
    print("Next:", study.verdict.action)
    print(study.result.best_reason)
    print(study.result.gain)

    best = study.result.model(study.result.best)
    for c in best.coefficients[:5]:
        print(f"  {c.feature:<4} {c.effect:<22} ({c.lower:.3g} to {c.upper:.3g} under the bootstrap)")

    print("first three rows:", study.best.predict(table.head(3)).round(1))
    if folder:
        for path in study.save(folder):
            print("wrote", path)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else None)
