"""Measures retrieval and coverage on topics that neither the encoder nor the coefficients have seen.

Four folds of topics: for each, the encoder is trained and the coefficients are fitted on the other three.

    python evaluate.py --work DIR     # the DIR of calibrate.py
"""

import argparse
from pathlib import Path

import numpy as np

from bank import BANK
from calibrate import cases_of, fit
from trials import FOLDS, fold_encoders


def judge(cases):
    """For each question: is the right entry first, among three, and is it called covered; cross-validated."""
    first, three, covered = (np.zeros(len(cases.questions), bool) for _ in range(3))
    for fold in range(FOLDS):
        test = cases.folds == fold
        ranking, coverage = fit(cases, ~test)
        orders = cases.ranked(ranking)
        logits = coverage.logits(cases.coverage(ranking))
        for i in np.flatnonzero(test):
            hits = np.isin(cases.places[i][orders[i][0][:3]], cases.questions[i].answers)
            first[i], three[i], covered[i] = hits[:1].any(), hits.any(), logits[i] >= 0
    return first, three, covered


def report(cases, first, three, covered):
    print(f"{'kind':26}{'language':10}{'questions':>10}{'top 1':>8}{'top 3':>8}{'judged right':>14}")
    languages = np.array([question.language for question in cases.questions])
    for kind in dict.fromkeys(cases.kinds):
        for language in ("zh", "en", "all"):
            rows = (cases.kinds == kind) & ((languages == language) | (language == "all"))
            if not rows.any():
                continue
            share = lambda values: f"{values[rows].mean() * 100:7.1f}%"
            places = share(first) + share(three) if cases.covered[rows].any() else " " * 16
            right = share(covered == cases.covered)
            print(f"{kind:26}{language:10}{rows.sum():10}{places}{right:>14}")
    total = lambda rows: (covered == cases.covered)[rows].mean() * 100
    print(f"covered marked covered {total(cases.kinds == 'covered'):.1f}%, uncovered refused {total(~cases.covered):.1f}%")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bank", type=Path, default=BANK)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=220)
    arguments = parser.parse_args()
    encoders = fold_encoders(arguments.bank, arguments.work, arguments.steps)
    cases = cases_of(arguments.bank, encoders)
    report(cases, *judge(cases))


if __name__ == "__main__":
    main()
