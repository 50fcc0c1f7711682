"""Trains the text encoder and writes encoder.safetensors. Runs on a CPU: half an hour on two cores.

    python train.py --minutes 25

Some businesses are left out (`bank.left_out`): they are what calibrate.py fits and judges with.
"""

import argparse
import hashlib
import math
import random
import time
from collections import Counter
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.numpy import save

from bank import BANK, HERE, Business, Entry, fill, language_of, left_out, read_businesses, read_concepts, read_lines, read_topics
from features import HEADING, KINDS, QUESTION, TEXT, places
from model import FIRST, UNKNOWN, Encoder, Texts

LIMITS = {QUESTION: 40, HEADING: 24, TEXT: 72}
# What it counts that only the right passage tells all, beside the choice among a business's entries.
CLAIMS = 0.5
# Features in fewer texts than this are not learned.
SEEN = 4
# How much a kind of feature says beside the others, for wording and keywords.
KIND_WEIGHT = [0.5, 0.8, 0.8, 0.25, 2.0]
# Businesses and entries of one step; phrases of the list of concepts.
BUSINESSES, ENTRIES, PHRASES = 6, 32, 160
SCALE = 8.0
# Of a step's questions that a business does not answer: its own, the world at large's, and another business's.
UNCOVERED, STRANGERS, OTHERS = 16, 3, 3
# The best passages of each question that are held against it place by place.
HELD = 3


def topics_as_businesses(rng):
    """The question bank's topics, a business a trade."""
    trades = {}
    for topic in read_topics():
        values = {}
        text = lambda given: fill(given, rng, values)
        titles, texts = ({l: text(by[l][0]) for l in ("zh", "en")} for by in (topic.questions, topic.answers))
        questions = [text(q) for l in ("zh", "en") for q in topic.questions[l][1:]]
        trades.setdefault(topic.vertical, Business(topic.vertical)).entries.append(Entry(titles, texts, questions))
    return [trade for trade in trades.values() if len(trade.entries) > 4]


class Corpus:
    """All texts with their features, and batches drawn from them."""

    def __init__(self, businesses, phrases):
        self.businesses, self.phrases = businesses, phrases
        # Every second line; the others are for calibrate.py.
        self.strangers = [line for name in ("offtopic.txt", "smalltalk.txt") for line in read_lines(name)[::2]]
        told = [(text, QUESTION) for b in businesses for text in b.uncovered + [q for e in b.entries for q in e.questions]]
        told += [(text, HEADING) for b in businesses for e in b.entries for text in (*e.titles.values(), *e.questions)]
        told += [(text, TEXT) for b in businesses for e in b.entries for text in e.texts.values()]
        told += [(phrase, QUESTION) for group in (self.strangers, *phrases) for phrase in group]
        told = list(dict.fromkeys(told))
        found = places(told)
        seen, kinds = Counter(), {}
        for (text, role), of_text in zip(told, found):
            if (role == HEADING) and (text, QUESTION) in seen:
                continue
            for feature, kind in {(f, k) for place in of_text for f, k in place}:
                seen[feature] += 1
                kinds[feature] = kind
        self.hashes = sorted(feature for feature, count in seen.items() if count >= SEEN)
        rarity = lambda count: math.log(1 + len(told) / count) / math.log(1 + len(told))
        self.rarity = np.array([KIND_WEIGHT[kinds[f]] * rarity(seen[f]) ** 1.5 for f in self.hashes], np.float32)
        self.texts = Texts(found, {feature: at + FIRST for at, feature in enumerate(self.hashes)})
        self.place = {text: at for at, text in enumerate(told)}

    def read(self, text, role):
        return (*self.texts.read(self.place[text, role], LIMITS[role]), role)

    def question(self, text):
        return [self.read(text, QUESTION)]

    def passage(self, entry, language, rng):
        """Heading and text; now and then a customer's question stands as heading, as in bases with similar questions."""
        heading = rng.choice(entry.questions) if rng.random() < 0.1 else entry.titles[language]
        return [self.read(heading, HEADING), self.read(entry.texts[language], TEXT)]

    def draw(self, business, rng):
        """(passages, questions) of some entries, a question each, mostly in the passage's language."""
        turn, passages, questions = rng.random(), [], []
        for entry in rng.sample(business.entries, min(ENTRIES, len(business.entries))):
            languages = sorted(entry.titles)
            language = rng.choice(languages) if turn < 0.25 or len(languages) == 1 else "zh" if turn < 0.65 else "en"
            same = [question for question in entry.questions if language_of(question) == language]
            questions.append(self.question(rng.choice(same if same and rng.random() < 0.6 else entry.questions)))
            passages.append(self.passage(entry, language, rng))
        return passages, questions


def losses(model, corpus, rng, dropout):
    """The loss of one step, and the share of questions whose entry scores highest."""
    drawn = [(business, *corpus.draw(business, rng)) for business in rng.sample(corpus.businesses, BUSINESSES)]
    owner = torch.tensor([at for at, (_, passages, _) in enumerate(drawn) for _ in passages])
    passages = model([p for _, ps, _ in drawn for p in ps], dropout / 2)
    questions = model([q for _, _, qs in drawn for q in qs], dropout)
    # Other businesses have entries that would answer as well, so they count less.
    meaning = SCALE * questions.meaning @ passages.meaning.T - 2.0 * (owner[:, None] != owner[None])
    loss, right = 0.5 * F.cross_entropy(meaning, torch.arange(len(owner))), 0.0
    for at, (business, _, _) in enumerate(drawn):
        mine = (owner == at).nonzero()[:, 0]
        own_questions, own_passages = questions.of(mine), passages.of(mine)
        scores, target = model.score(own_questions, own_passages), torch.arange(len(mine))
        right += (scores.argmax(1) == target).float().mean().item() / BUSINESSES
        uncovered = uncovered_loss(model, corpus, business, scores, own_questions, own_passages, rng, dropout)
        loss = loss + (F.cross_entropy(scores, target) + uncovered) / BUSINESSES
    return loss + 0.5 * phrase_loss(model, corpus, rng, dropout * 1.5), right


def uncovered_loss(model, corpus, business, scores, questions, passages, rng, dropout):
    """The best entry must beat "none" where the right one is there, and must not where it was taken away or there is none; only the right
    one tells all that is asked."""
    gone = torch.rand(len(scores)) < 0.5
    lead = torch.logsumexp(scores.masked_fill(torch.diag(gone), -1e9), 1) - model.none
    loss = F.binary_cross_entropy_with_logits(lead, (~gone).float())
    chosen = rng.sample(business.uncovered, min(UNCOVERED, len(business.uncovered))) + rng.sample(corpus.strangers, STRANGERS)
    chosen += rng.sample(rng.choice(corpus.businesses).uncovered or corpus.strangers, OTHERS)
    strange = model([corpus.question(text) for text in chosen], dropout)
    strange_scores = model.score(strange, passages)
    lead = torch.logsumexp(strange_scores, 1) - model.none
    loss = 0.3 * (loss + 0.5 * F.binary_cross_entropy_with_logits(lead, torch.zeros(len(chosen))))
    right = model.tells_all(questions, passages)
    wrong = best_tell_all(model, questions, scores.masked_fill(torch.eye(len(scores), dtype=torch.bool), -1e9), passages)
    nothing = best_tell_all(model, strange, strange_scores, passages)
    return loss + CLAIMS * ((-right).mean() + 0.5 * refuted(wrong).mean() + refuted(nothing).mean())


def best_tell_all(model, questions, scores, passages):
    """`tells_all` of each question and each of its best passages."""
    best = scores.detach().topk(min(HELD, scores.shape[1]), 1).indices
    return model.tells_all(questions.of(torch.arange(len(best)).repeat_interleave(best.shape[1])), passages.of(best.reshape(-1)))


def refuted(logarithms):
    """The loss of holding for true, with these log-probabilities, what is not."""
    return -torch.log1p(-torch.exp(logarithms.clamp(max=-1e-4)))


def phrase_loss(model, corpus, rng, dropout):
    """Phrases of one group must find each other among those of other groups."""
    groups = [rng.sample(group, 2) for group in rng.sample(corpus.phrases, PHRASES)]
    one, other = (model([corpus.question(pair[side]) for pair in groups], dropout)[1] for side in (0, 1))
    return F.cross_entropy(1.5 * SCALE * one @ other.T, torch.arange(len(groups)))


def train(model, corpus, minutes, rate, dropout, seed):
    """Trains for as long as it is told; the rate falls from a third of the time on."""
    rng, began, step, recent = random.Random(seed), time.time(), 0, []
    table = [model.table.weight]
    rest = [value for name, value in model.named_parameters() if name != "table.weight"]
    optimiser = torch.optim.AdamW([{"params": table, "weight_decay": 0.0}, {"params": rest, "weight_decay": 0.01}], betas=(0.9, 0.98), fused=True)
    while (gone := (time.time() - began) / 60 / minutes) < 1:
        pace = min(1.0, step / 30) * max(0.02, 1 - max(0.0, gone - 0.3) / 0.7)
        for group, factor in zip(optimiser.param_groups, (2.0, 1.0)):
            group["lr"] = rate * factor * pace
        loss, right = losses(model, corpus, rng, dropout)
        optimiser.zero_grad(set_to_none=False)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        recent.append((loss.item(), right))
        step += 1
        if step % 50 == 0:
            mean = np.mean(recent[-50:], 0)
            print(f"{(time.time() - began) / 60:5.1f} min, step {step}: loss {mean[0]:.3f}, right {mean[1]:.3f}", flush=True)


def write(path, model, corpus):
    """int8 rows with a scale each, in the layout that src/knowledge/encoder.rs reads."""
    numbers = {name: value.detach().float().numpy() for name, value in model.named_parameters()}
    table = numbers["table.weight"][FIRST:]
    scales = np.maximum(np.abs(table).max(1), 1e-8) / 127
    tensors = {
        "hashes": np.array(corpus.hashes, np.uint64),
        "table": np.clip(np.round(table / scales[:, None]), -127, 127).astype(np.int8),
        "scales": scales,
        "rarity": corpus.rarity,
        "unseen": np.array(KIND_WEIGHT, np.float32),
        "unknown": numbers["table.weight"][UNKNOWN],
        "roles": numbers["roles.weight"],
        "tokens": numbers["tokens.weight"],
        "meaning": numbers["meaning.weight"],
        "counts": numbers["counts.weight"],
        "counts_bias": numbers["counts.bias"],
        "asks": numbers["asks.weight"],
        "tells": numbers["tells.weight"],
        "need": numbers["need.weight"][0],
        "need_bias": numbers["need.bias"],
        "told": numbers["told"],
    }
    tensors = {name: np.ascontiguousarray(value, value.dtype if value.dtype in (np.uint64, np.int8) else np.float32) for name, value in tensors.items()}
    assert len(tensors["unseen"]) == KINDS
    body = save(tensors)
    body = body[8 + int.from_bytes(body[:8], "little"):]
    metadata = {"format": "frontdesk-encoder-4", "sha256": hashlib.sha256(body).hexdigest()}
    Path(path).write_bytes(save(tensors, metadata))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bank", type=Path, default=BANK)
    parser.add_argument("--out", type=Path, default=HERE / "encoder.safetensors")
    parser.add_argument("--minutes", type=float, default=25)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--dropout", type=float, default=0.35)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    torch.manual_seed(arguments.seed), np.random.seed(arguments.seed)
    businesses = read_businesses(arguments.bank)
    out = left_out(businesses)
    used = [b for b in businesses if b not in out] + topics_as_businesses(random.Random(arguments.seed))
    corpus = Corpus(used, [group for group in read_concepts() if len(group) > 1])
    print(f"{len(used)} businesses, {sum(len(e.questions) for b in used for e in b.entries)} questions, {len(corpus.phrases)} concepts, {len(corpus.hashes)} features", flush=True)
    model = Encoder(len(corpus.hashes))
    train(model, corpus, arguments.minutes, arguments.rate, arguments.dropout, arguments.seed)
    write(arguments.out, model, corpus)
    print(f"{arguments.out.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
