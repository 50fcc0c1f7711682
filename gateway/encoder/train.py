"""Trains the text encoder and writes encoder.safetensors. A few minutes on two CPU cores; a GPU is used where there is one.

    python train.py
"""

import argparse
import hashlib
import math
import random
from collections import Counter
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.numpy import save

from bank import BANK, HERE, SLOT, fill, read_concepts, read_topics
from features import KINDS, features, mix

MEANING, CODE_ENTRIES = 256, 6
MEANING_SHARE, HALF_STRENGTH = 0.75, 0.15
# How much a kind counts beside the others; pieces and long grams repeat what shorter ones say.
KIND_WEIGHT = [0.5, 0.8, 0.4, 0.8, 0.25, 0.4, 2.0]



def substitute(text, language, concepts, rng):
    """Puts another word of the same concept, in the same language, in place of one word of the text."""
    found = [(word, group) for group in concepts for word in group[language] if len(word) > (1 if language == "zh" else 3) and word in text]
    if not found:
        return text
    word, group = rng.choice(found)
    return text.replace(word, rng.choice(group[language]), 1)


def groups(topics, concepts, rng, variants):
    """Training groups: (questions, answers), each a list of texts; a concept is a group without answers."""
    made = []
    for topic in topics:
        questions, answers = [], []
        for language in ("zh", "en"):
            for _ in range(variants):
                values = {}
                for text in topic.questions[language]:
                    text = fill(text, rng, values)
                    questions.append(substitute(text, language, concepts, rng) if rng.random() < 0.4 else text)
                answers += [fill(text, rng, values) for text in topic.answers[language]]
        made.append((list(dict.fromkeys(questions)), answers))
    return made + [(concept["zh"] + concept["en"], []) for concept in concepts if len(concept["zh"] + concept["en"]) > 1]


def raw(topics, concepts):
    """Every text as it was written, slots empty: what features are counted in."""
    written = [text for t in topics for l in ("zh", "en") for text in t.questions[l] + t.answers[l]]
    return [SLOT.sub(" ", text) for text in written] + [text for concept in concepts for text in concept["zh"] + concept["en"]]


class Vocabulary:
    """The features seen in at least two texts, with a weight each that falls with how common it is."""

    def __init__(self, texts):
        seen, kinds = Counter(), {}
        for found in features(texts):
            for feature, kind in found:
                seen[feature] += 1
                kinds[feature] = kind
        self.hashes = sorted(feature for feature, count in seen.items() if count >= 2)
        self.row = {feature: row for row, feature in enumerate(self.hashes)}
        rarity = lambda count: math.log(1 + len(texts) / count) / math.log(1 + len(texts))
        self.weights = np.array([KIND_WEIGHT[kinds[f]] * rarity(seen[f]) ** 1.5 for f in self.hashes], np.float32)
        self.unseen = np.array([KIND_WEIGHT[kind] for kind in range(KINDS)], np.float32)

    def weigh(self, found):
        """[(hash, row or -1, weight)] of a text's features."""
        return [(f, r, self.weights[r] if r >= 0 else self.unseen[kind]) for f, kind in found for r in [self.row.get(f, -1)]]


def wording(weighed):
    """The fixed half of a text's vector, of length 1."""
    sums = np.zeros(512 - MEANING, np.float32)
    for feature, _, weight in weighed:
        bits = mix(feature ^ 0x9E3779B97F4A7C15)
        for entry in range(CODE_ENTRIES):
            nine = bits >> (9 * entry)
            sums[nine & 0xFF] += -weight if nine & 0x100 else weight
    return sums / max(np.linalg.norm(sums), 1e-30)


class Texts:
    """Texts as flat arrays, ready to be summed in batches."""

    def __init__(self, texts, vocabulary):
        weighed = [vocabulary.weigh(found) for found in features(texts)]
        self.rows = [np.array([row for _, row, _ in w], np.int64) for w in weighed]
        self.weights = [np.array([weight for _, _, weight in w], np.float32) for w in weighed]
        self.wording = np.stack([wording(w) for w in weighed])

    def batch(self, indices, dropout, rng, device):
        """(rows, weights, offsets, squares, wording) of the chosen texts, with features dropped or made unknown at random."""
        rows, weights, lengths, squares = [], [], [], []
        for i in indices:
            keep = rng.random(len(self.rows[i])) >= dropout
            keep = keep if keep.any() else ~keep
            r, w = self.rows[i][keep], self.weights[i][keep]
            squares.append(max((w * w).sum(), 1e-9))
            known = (r >= 0) & (rng.random(len(r)) >= dropout / 2)
            rows.append(r[known]), weights.append(w[known]), lengths.append(known.sum())
        offsets = np.concatenate([[0], np.cumsum(lengths)[:-1]])
        to = lambda array, kind: torch.as_tensor(np.asarray(array), dtype=kind, device=device)
        return (to(np.concatenate(rows), torch.long), to(np.concatenate(weights), torch.float32), to(offsets, torch.long),
                to(squares, torch.float32), to(self.wording[indices], torch.float32))


def encode(table, batch):
    """The 512 numbers of each text, as src/knowledge/encoder.rs computes them; also the meaning half alone, of length 1."""
    rows, weights, offsets, squares, words = batch
    meaning = F.embedding_bag(rows, table, offsets, mode="sum", per_sample_weights=weights)
    length = meaning.norm(dim=1, keepdim=True).clamp_min(1e-9)
    relative = length / squares.sqrt()[:, None]
    direction = meaning / length
    both = torch.cat([direction * math.sqrt(MEANING_SHARE) * relative / (relative + HALF_STRENGTH), words * math.sqrt(1 - MEANING_SHARE)], 1)
    return F.normalize(both, dim=1), direction


def pairs(made, first, rng, count):
    """Draws groups and two texts of each: indices into the flat list of texts."""
    left, right = [], []
    for group in rng.choice(len(made), min(count, len(made)), replace=False):
        questions, answers = made[group]
        start = first[group]
        a = rng.integers(len(questions))
        if answers and rng.random() < 0.35:
            b = len(questions) + rng.integers(len(answers))
        else:
            b = (a + 1 + rng.integers(len(questions) - 1)) % len(questions) if len(questions) > 1 else a
        left.append(start + a), right.append(start + b)
    return left, right


def contrast(left, right, temperature):
    """Each text must find its partner among all others of the batch, in both directions."""
    logits = left @ right.T / temperature
    target = torch.arange(len(left), device=left.device)
    return (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2


def train(topics, concepts, steps, seed=1, size=320, quiet=False):
    """Returns the vocabulary and the learned table."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(seed)
    rng, shuffle = np.random.default_rng(seed), random.Random(seed)
    made = groups(topics, concepts, shuffle, variants=2)
    flat = [text for questions, answers in made for text in questions + answers]
    first = np.cumsum([0] + [len(q) + len(a) for q, a in made])
    vocabulary = Vocabulary(raw(topics, concepts))
    texts = Texts(flat, vocabulary)
    table = torch.nn.Parameter(torch.randn(len(vocabulary.hashes), MEANING, device=device) * 0.5 / math.sqrt(MEANING))
    optimiser = torch.optim.Adam([table], lr=4e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, total_steps=steps, pct_start=0.1)
    for step in range(steps):
        left, right = pairs(made, first, rng, size)
        (both, meaning), (both_r, meaning_r) = (encode(table, texts.batch(i, 0.25, rng, device)) for i in (left, right))
        loss = contrast(both, both_r, 0.06) + contrast(meaning, meaning_r, 0.06)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        if not quiet and (step % 100 == 0 or step == steps - 1):
            print(f"step {step} loss {loss.item():.3f}", flush=True)
    return vocabulary, table.detach().cpu().numpy()


def write(path, vocabulary, table):
    """int8 rows with a scale each, in the layout that src/knowledge/encoder.rs reads."""
    scales = np.maximum(np.abs(table).max(1), 1e-8) / 127
    tensors = {
        "hashes": np.array(vocabulary.hashes, np.uint64),
        "table": np.clip(np.round(table / scales[:, None]), -127, 127).astype(np.int8),
        "scales": scales.astype(np.float32),
        "weights": vocabulary.weights,
        "settings": np.concatenate([vocabulary.unseen, [MEANING_SHARE, HALF_STRENGTH]]).astype(np.float32),
    }
    body = save(tensors)
    body = body[8 + int.from_bytes(body[:8], "little"):]
    metadata = {"format": "frontdesk-encoder-2", "sha256": hashlib.sha256(body).hexdigest()}
    Path(path).write_bytes(save(tensors, metadata))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bank", type=Path, default=BANK)
    parser.add_argument("--out", type=Path, default=HERE / "encoder.safetensors")
    parser.add_argument("--steps", type=int, default=260)
    arguments = parser.parse_args()
    topics = read_topics(arguments.bank)
    vocabulary, table = train(topics, read_concepts(), arguments.steps)
    write(arguments.out, vocabulary, table)
    print(f"{len(topics)} topics, {len(vocabulary.hashes)} features, {arguments.out.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
