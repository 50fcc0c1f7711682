"""Fits ranking.json: how signals of a candidate are weighed for the order, and for "does the base answer this at all?".

    python calibrate.py --work DIR    # DIR keeps the four fold encoders, which take a few minutes each to train
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from bank import BANK, HERE
from trials import bases, fold_encoders, measured

# What a mistake on each kind of question weighs in the fit.
KIND_WEIGHT = {"covered": 1.0, "covered across languages": 0.35, "near domain": 0.6, "other domain": 0.6, "off topic": 0.5, "small talk": 0.5}


class Cases:
    """Questions with the signals of their candidates, as arrays."""

    def __init__(self, pairs):
        pairs = [(question, result) for question, result in pairs if result["candidates"]]
        self.questions = [question for question, _ in pairs]
        self.places = [np.array([place for place, _ in result["candidates"]]) for _, result in pairs]
        self.signals = [np.array([signals for _, signals in result["candidates"]], np.float32) for _, result in pairs]
        self.base = np.array([result["coverage_signals"][-4:] for _, result in pairs], np.float32)
        self.covered = np.array([bool(question.answers) for question in self.questions])
        self.kinds = np.array([question.kind for question in self.questions])
        self.folds = np.array([question.fold for question in self.questions])

    def ranked(self, ranking):
        """For each question the order of its candidates and their scores."""
        scores = [signals @ ranking for signals in self.signals]
        return [(np.argsort(-score, kind="stable"), score) for score in scores]

    def coverage(self, ranking):
        """The rows that the coverage coefficients multiply, as src/knowledge/ranking.rs makes them."""
        rows = []
        for signals, base, (order, scores) in zip(self.signals, self.base, self.ranked(ranking)):
            lead = scores[order[0]] - scores[order[1]] if len(order) > 1 else 0.0
            rows.append(np.concatenate([signals[order[0]], [scores[order[0]], lead], base]))
        return np.array(rows, np.float32)


def fit_ranking(cases, chosen):
    """Softmax over each question's candidates; the right ones share the probability."""
    usable = [i for i in np.flatnonzero(chosen) if cases.covered[i] and np.isin(cases.places[i], cases.questions[i].answers).any()]
    width = max(len(cases.places[i]) for i in usable)
    signals = torch.zeros(len(usable), width, cases.signals[0].shape[1])
    valid = torch.zeros(len(usable), width, dtype=torch.bool)
    right = torch.zeros(len(usable), width, dtype=torch.bool)
    for row, i in enumerate(usable):
        count = len(cases.places[i])
        signals[row, :count] = torch.from_numpy(cases.signals[i])
        valid[row, :count] = True
        right[row, :count] = torch.from_numpy(np.isin(cases.places[i], cases.questions[i].answers))
    weights = torch.full((signals.shape[2],), 1.0, requires_grad=True)

    def loss():
        logits = (signals @ weights).masked_fill(~valid, -1e9)
        found = torch.logsumexp(logits.masked_fill(~right, -1e9), 1)
        return (torch.logsumexp(logits, 1) - found).mean() + 1e-4 * weights.square().sum()

    minimise(loss, [weights])
    return weights.detach().numpy()


def fit_coverage(rows, cases, chosen):
    """Logistic regression; rows are scaled for the fit and the scale is folded back into the coefficients."""
    mean, scale = rows[chosen].mean(0), rows[chosen].std(0) + 1e-6
    x = torch.from_numpy((rows[chosen] - mean) / scale)
    y = torch.from_numpy(cases.covered[chosen].astype(np.float32))
    importance = torch.tensor([KIND_WEIGHT[kind] for kind in cases.kinds[chosen]])
    for side in (0.0, 1.0):  # both mistakes weigh the same in all
        importance[y == side] /= importance[y == side].sum()
    weights, bias = torch.zeros(x.shape[1], requires_grad=True), torch.zeros(1, requires_grad=True)

    def loss():
        return (F.binary_cross_entropy_with_logits(x @ weights + bias, y, reduction="none") * importance).sum() + 1e-3 * weights.square().sum()

    minimise(loss, [weights, bias])
    coefficients = weights.detach().numpy() / scale
    return coefficients, float(bias) - float(coefficients @ mean)


def minimise(loss, parameters):
    optimiser = torch.optim.LBFGS(parameters, max_iter=300, line_search_fn="strong_wolfe")

    def closure():
        optimiser.zero_grad()
        value = loss()
        value.backward()
        return value

    optimiser.step(closure)


def fit(cases, chosen):
    """(ranking, coverage, bias) from the chosen questions."""
    ranking = fit_ranking(cases, chosen)
    return (ranking, *fit_coverage(cases.coverage(ranking), cases, chosen))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bank", type=Path, default=BANK)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=600)
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    encoders = fold_encoders(arguments.bank, arguments.work, arguments.steps)
    cases = Cases(measured(bases(arguments.bank, 24, seed=1), encoders))
    ranking, coverage, bias = fit(cases, np.ones(len(cases.questions), bool))
    rounded = lambda values: [round(float(value), 4) for value in values]
    fitted = {"ranking": rounded(ranking), "coverage": rounded(coverage), "coverage_bias": round(bias, 4)}
    (HERE / "ranking.json").write_text(json.dumps(fitted, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(fitted))


if __name__ == "__main__":
    main()
