"""Fits ranking.json: how signals of a candidate are weighed for the order, and for "does the base answer this at all?".

    python calibrate.py              # fits to every base and writes ranking.json
    python calibrate.py --judge      # measures only: each fifth of the bases by coefficients fitted to the others
"""

import argparse
import json
import random

import numpy as np
import torch
import torch.nn.functional as F

from bank import HERE, fill, read_lines, read_topics
from bases import bases, cases, measure
from features import ask

NEURONS = 8
FOLDS = 5
# Places among the coverage signals after the candidate's own, score and lead. Chatter is fitted here, so what the program
# measured by the last fit is replaced.
CHATTER = 3
# The places of the share of the query that a candidate meets, and of how surely it tells all that is asked.
MET, TOLD = 14, 24
# What a mistake on each kind of question weighs in the fit.
KIND_WEIGHT = {"near": 2.0, "near, two parts": 2.0, "left out": 0.5, "other business": 1.0, "off topic": 0.7, "small talk": 0.5}
# What a covered question weighs whose entry does not come first: to refuse it is no worse than to answer it wrongly.
MISPLACED = 0.25
# The share of covered questions with the right entry first that are accepted.
ACCEPTED = 0.92


class Cases:
    """Questions with the signals of their candidates, as arrays."""

    def __init__(self, measured, chatter):
        measured = [one for one in measured if one[2]["candidates"]]
        self.bases = np.array([base.name for base, _, _ in measured])
        self.whole = np.array([any(q.kind == "small talk" for q in base.questions) for base, _, _ in measured])
        self.questions = [question for _, question, _ in measured]
        self.places = [np.array([place for place, _ in result["candidates"]]) for _, _, result in measured]
        self.signals = [np.array([signals for _, signals in result["candidates"]], np.float32) for _, _, result in measured]
        self.rest = np.array([result["coverage_signals"][self.signals[0].shape[1] + 2 :] for _, _, result in measured], np.float32)
        self.rest[:, CHATTER] = chatter.logits([question.text for question in self.questions])
        self.large = np.array([any(q.kind == "small talk" for q in base.questions) and len(base.entries) > 66 for base, _, _ in measured])
        self.covered = np.array([bool(question.answers) for question in self.questions])
        self.kinds = np.array([question.kind for question in self.questions])
        self.languages = np.array([question.language for question in self.questions])

    def ranked(self, ranking):
        """For each question the order of its candidates and their scores."""
        scores = [signals @ ranking for signals in self.signals]
        return [(np.argsort(-score, kind="stable"), score) for score in scores]

    def first(self, ranking):
        """Whether an entry that answers comes first."""
        return np.array([places[order[0]] in question.answers for places, question, (order, _) in zip(self.places, self.questions, self.ranked(ranking))])

    def coverage(self, ranking):
        """The rows that the coverage coefficients multiply, as src/knowledge/ranking.rs makes them."""
        rows = []
        for signals, rest, (order, scores) in zip(self.signals, self.rest, self.ranked(ranking)):
            lead = scores[order[0]] - scores[order[1]] if len(order) > 1 else scores[order[0]]
            most = signals[order[:3]][:, [MET, TOLD]].max(0)
            rows.append(np.concatenate([signals[order[0]], [scores[order[0]], lead], rest[:-2], most]))
        return np.array(rows, np.float32)


def fit_ranking(cases, chosen):
    """Softmax over each question's candidates; the right ones share the probability."""
    usable = [i for i in np.flatnonzero(chosen) if cases.covered[i] and cases.whole[i] and np.isin(cases.places[i], cases.questions[i].answers).any()]
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


def vectors(texts):
    """The 512 numbers of each question."""
    return np.array(ask(texts, "--vectors", str(HERE / "encoder.safetensors")), np.float32)


class Chatter:
    """Tells small talk and the world at large from customers' questions, by the query's vector alone."""

    def __init__(self):
        """Fits it to every second line, so that the other half can show the coverage fit what to expect of it."""
        asked = [fill(text, random.Random(1)) for topic in read_topics() for texts in topic.questions.values() for text in texts]
        lines = [text for name in ("offtopic.txt", "smalltalk.txt") for text in read_lines(name)[::2]]
        x = torch.from_numpy(vectors(asked + lines))
        y = torch.tensor([0.0] * len(asked) + [1.0] * len(lines))
        balance = torch.where(y > 0, 0.5 / len(lines), 0.5 / len(asked))
        coefficients, bias = torch.zeros(x.shape[1], requires_grad=True), torch.zeros(1, requires_grad=True)

        def loss():
            wrong = F.binary_cross_entropy_with_logits(x @ coefficients + bias, y, reduction="none")
            return (wrong * balance).sum() + 3e-4 * coefficients.square().sum()

        minimise(loss, [coefficients, bias])
        self.coefficients, self.bias = coefficients.detach().numpy(), bias.item()

    def logits(self, texts):
        return np.clip(vectors(texts) @ self.coefficients + self.bias, -6, 6)


class Coverage:
    """A network of a few tanh neurons over the coverage signals."""

    def __init__(self, rows, cases, first, chosen):
        """Fits it to the chosen rows, scaled; the scale is folded into the weights afterwards."""
        torch.manual_seed(1)
        mean, scale = rows[chosen].mean(0), np.maximum(rows[chosen].std(0), 0.02)
        x = torch.from_numpy((rows[chosen] - mean) / scale)
        y = torch.from_numpy(cases.covered[chosen].astype(np.float32))
        importance = torch.tensor([KIND_WEIGHT.get(kind, 1.0) for kind in cases.kinds[chosen]])
        importance[torch.from_numpy(cases.covered[chosen] & ~first[chosen])] *= MISPLACED
        for side in (0.0, 1.0):  # both mistakes weigh the same in all
            importance[y == side] /= importance[y == side].sum()
        inner = (torch.randn(x.shape[1], NEURONS) * 0.2).requires_grad_()
        bias = torch.zeros(NEURONS, requires_grad=True)
        outer = (torch.randn(NEURONS) * 0.2).requires_grad_()
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

    def neurons(self):
        """As ranking.json holds them."""
        return [
            {"weights": rounded(weights), "bias": round(float(bias), 4), "out": round(float(out), 4)}
            for weights, bias, out in zip(self.inner.T, self.bias, self.outer)
        ]


def rounded(values):
    return [round(float(value), 4) for value in values]


def minimise(loss, parameters):
    optimiser = torch.optim.LBFGS(parameters, max_iter=100, line_search_fn="strong_wolfe")

    def closure():
        optimiser.zero_grad()
        value = loss()
        value.backward()
        return value

    optimiser.step(closure)


def fit(cases, chosen):
    """(ranking, coverage) from the chosen questions, and the logits of all."""
    ranking = fit_ranking(cases, chosen)
    rows = cases.coverage(ranking)
    coverage = Coverage(rows, cases, cases.first(ranking), chosen)
    return ranking, coverage, coverage.logits(rows)


def judge(cases):
    """For each question: is the right entry first, among three, and the logit of being covered; fitted to the other folds."""
    first, three, logits = np.zeros(len(cases.questions), bool), np.zeros(len(cases.questions), bool), np.zeros(len(cases.questions))
    names = np.unique(cases.bases)
    for fold in range(FOLDS):
        test = np.isin(cases.bases, names[fold::FOLDS])
        ranking, _, found = fit(cases, ~test)
        orders = cases.ranked(ranking)
        logits[test] = found[test]
        for i in np.flatnonzero(test):
            hits = np.isin(cases.places[i][orders[i][0][:3]], cases.questions[i].answers)
            first[i], three[i] = hits[:1].any(), hits.any()
    return first, three, logits


def threshold(cases, first, logits):
    """The logit at which ACCEPTED of the covered questions (of one part) with the right entry first are accepted, every base counting the same."""
    rows = cases.whole & first & (cases.kinds == "covered")
    return float(np.mean([np.quantile(logits[rows & (cases.bases == base)], 1 - ACCEPTED) for base in np.unique(cases.bases)]))


def report(cases, first, three, logits):
    limit = threshold(cases, first, logits)
    print(f"{'base':10}{'kind':20}{'language':10}{'questions':>10}{'top 1':>8}{'top 3':>8}{'judged right':>14}")
    for size, of_size in (("small", ~cases.large), ("large", cases.large)):
        for kind in dict.fromkeys(cases.kinds):
            for language in ("zh", "en"):
                rows = of_size & (cases.kinds == kind) & (cases.languages == language) & (cases.whole | (kind == "left out"))
                if not rows.any():
                    continue
                share = lambda values: f"{values[rows].mean() * 100:7.1f}%"
                places = share(first) + share(three) if cases.covered[rows].any() else " " * 16
                print(f"{size:10}{kind:20}{language:10}{rows.sum():10}{places}{share((logits >= limit) == cases.covered):>14}")
    names = np.unique(cases.bases)
    top = [first[(cases.bases == name) & cases.covered & cases.whole].mean() for name in names]
    for size, of_size in (("small", ~cases.large), ("large", cases.large)):
        rows = of_size & cases.covered & cases.whole
        answered = rows & (logits >= limit)
        print(f"{size}: of the covered {(answered & first).sum() / rows.sum():.1%} answered right, {(answered & ~first).sum() / rows.sum():.1%} wrong")
    print("top 1 by business: " + ", ".join(f"{name} {share:.0%}" for name, share in zip(names, top)))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--judge", action="store_true")
    arguments = parser.parse_args()
    chatter = Chatter()
    made = Cases(measure(cases(bases())), chatter)
    judged = judge(made)
    report(made, *judged)
    if arguments.judge:
        return
    ranking, coverage, _ = fit(made, np.ones(len(made.questions), bool))
    fitted = {
        "ranking": rounded(ranking), "coverage": coverage.neurons(), "coverage_bias": round(coverage.last - threshold(made, judged[0], judged[2]), 4),
        "chatter": rounded(chatter.coefficients), "chatter_bias": round(chatter.bias, 4),
    }
    (HERE / "ranking.json").write_text(json.dumps(fitted) + "\n", encoding="utf-8")
    print(f"fitted to {len(made.questions)} questions")


if __name__ == "__main__":
    main()
