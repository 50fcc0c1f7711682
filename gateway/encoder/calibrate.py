"""Fits ranking.json: how signals of a candidate are weighed for the order, and for "does the base answer this at all?".

    python calibrate.py --work DIR    # DIR keeps the four fold encoders, which take a few minutes each to train
"""

import argparse
import json
import random
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from bank import BANK, HERE, fill, read_lines, read_topics
from golden import Weights
from train import FOLDS, fold_of
from trials import bases, fold_encoders, measured

UNITS = 6
# What a mistake on each kind of question weighs in the fit.
KIND_WEIGHT = {"covered": 1.0, "covered across languages": 0.35, "near domain": 0.6, "other domain": 0.6, "off topic": 0.5, "small talk": 0.5}


class Cases:
    """Questions with the signals of their candidates, as arrays."""

    def __init__(self, pairs, chatter):
        """`chatter`: one for each fold, in place of the shipped one that has seen every topic."""
        pairs = [(question, result) for question, result in pairs if result["candidates"]]
        self.questions = [question for question, _ in pairs]
        self.places = [np.array([place for place, _ in result["candidates"]]) for _, result in pairs]
        self.signals = [np.array([signals for _, signals in result["candidates"]], np.float32) for _, result in pairs]
        self.base = np.array([result["coverage_signals"][-4:] for _, result in pairs], np.float32)
        self.base[:, -1] = [chatter[question.fold].logit(question.text) for question in self.questions]
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


class Chatter:
    """Tells small talk and the world at large from customers' questions, by the query's vector alone."""

    def __init__(self, bank, encoder, without=None):
        """Fits it with the encoder's vectors; `without`: the fold whose topics and lines are left out."""
        weights = Weights(encoder)
        topics = [topic for topic in read_topics(bank) if fold_of(topic.key) != without]
        asked = [fill(text, random.Random(1)) for topic in topics for texts in topic.questions.values() for text in texts]
        lines = [text for name in ("offtopic.txt", "smalltalk.txt") for at, text in enumerate(read_lines(name, bank)) if at % FOLDS != without]
        x = torch.from_numpy(np.array([weights.vector(text) for text in asked + lines], np.float32))
        y = torch.tensor([0.0] * len(asked) + [1.0] * len(lines))
        balance = torch.where(y > 0, 0.5 / len(lines), 0.5 / len(asked))
        coefficients, bias = torch.zeros(x.shape[1], requires_grad=True), torch.zeros(1, requires_grad=True)

        def loss():
            wrong = F.binary_cross_entropy_with_logits(x @ coefficients + bias, y, reduction="none")
            return (wrong * balance).sum() + 1e-4 * coefficients.square().sum()

        minimise(loss, [coefficients, bias])
        self.weights, self.coefficients, self.bias = weights, coefficients.detach().numpy(), bias.item()

    def logit(self, text):
        return float(np.clip(self.weights.vector(text) @ self.coefficients + self.bias, -6, 6))


class Coverage:
    """A network of a few tanh units over the coverage signals."""

    def __init__(self, rows, cases, chosen):
        """Fits it to the chosen rows, scaled; the scale is folded into the weights afterwards."""
        torch.manual_seed(1)
        mean, scale = rows[chosen].mean(0), rows[chosen].std(0) + 1e-6
        x = torch.from_numpy((rows[chosen] - mean) / scale)
        y = torch.from_numpy(cases.covered[chosen].astype(np.float32))
        importance = torch.tensor([KIND_WEIGHT[kind] for kind in cases.kinds[chosen]])
        for side in (0.0, 1.0):  # both mistakes weigh the same in all
            importance[y == side] /= importance[y == side].sum()
        inner = (torch.randn(x.shape[1], UNITS) * 0.2).requires_grad_()
        bias = torch.zeros(UNITS, requires_grad=True)
        outer = (torch.randn(UNITS) * 0.2).requires_grad_()
        last = torch.zeros(1, requires_grad=True)

        def loss():
            logits = torch.tanh(x @ inner + bias) @ outer + last
            wrong = F.binary_cross_entropy_with_logits(logits, y, reduction="none")
            return (wrong * importance).sum() + 3e-3 * (inner.square().sum() + outer.square().sum())

        minimise(loss, [inner, bias, outer, last])
        self.inner = inner.detach().numpy() / scale[:, None]
        self.bias = bias.detach().numpy() - mean @ self.inner
        self.outer, self.last = outer.detach().numpy(), last.item()

    def logits(self, rows):
        return np.tanh(rows @ self.inner + self.bias) @ self.outer + self.last

    def units(self):
        """As ranking.json holds them."""
        return [
            {"weights": rounded(weights), "bias": round(float(bias), 4), "out": round(float(out), 4)}
            for weights, bias, out in zip(self.inner.T, self.bias, self.outer)
        ]


def rounded(values):
    return [round(float(value), 4) for value in values]


def minimise(loss, parameters):
    optimiser = torch.optim.LBFGS(parameters, max_iter=300, line_search_fn="strong_wolfe")

    def closure():
        optimiser.zero_grad()
        value = loss()
        value.backward()
        return value

    optimiser.step(closure)


def fit(cases, chosen):
    """(ranking, coverage) from the chosen questions."""
    ranking = fit_ranking(cases, chosen)
    return ranking, Coverage(cases.coverage(ranking), cases, chosen)


def cases_of(bank, encoders):
    """The questions of all bases, measured by encoders and chatter models that have not seen their topics."""
    chatter = [Chatter(bank, encoder, fold) for fold, encoder in enumerate(encoders)]
    return Cases(measured(bases(bank, 8, seed=1), encoders), chatter)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bank", type=Path, default=BANK)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=220)
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    encoders = fold_encoders(arguments.bank, arguments.work, arguments.steps)
    cases = cases_of(arguments.bank, encoders)
    ranking, coverage = fit(cases, np.ones(len(cases.questions), bool))
    chatter = Chatter(arguments.bank, HERE / "encoder.safetensors")
    fitted = {
        "ranking": rounded(ranking), "coverage": coverage.units(), "coverage_bias": round(coverage.last, 4),
        "chatter": rounded(chatter.coefficients), "chatter_bias": round(chatter.bias, 4),
    }
    (HERE / "ranking.json").write_text(json.dumps(fitted) + "\n", encoding="utf-8")
    print(f"fitted to {len(cases.questions)} questions")


if __name__ == "__main__":
    main()
