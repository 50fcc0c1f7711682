"""The encoder as it is trained; src/knowledge/encoder.rs computes the same from the weights file."""

import math
from typing import NamedTuple

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

WIDTH, TOKEN, MEANING, CLAIM = 192, 96, 256, 64
# The rows before the features': nothing, and what stands at a place of which no feature is known.
NOTHING, UNKNOWN, FIRST = 0, 1, 2


class Texts:
    """Texts as arrays: the rows of all features, place after place, and how many stand at each place."""

    def __init__(self, found, row):
        self.rows, self.counts = [], []
        for places in found:
            known = [[row[hash] for hash, _ in place if hash in row] or [UNKNOWN] for place in places] or [[UNKNOWN]]
            self.rows.append(np.array([r for place in known for r in place], np.int64))
            self.counts.append(np.array([len(place) for place in known], np.int64))

    def read(self, text, limit):
        """(rows, counts) of the first `limit` places of a text."""
        counts = self.counts[text][:limit]
        return self.rows[text][: counts.sum()], counts


class Bags(torch.autograd.Function):
    """The sum of a table's rows for each place. What it learns is added to the table's gradient in place: as tensors of their own, a dense
    gradient for every call would take most of a step."""

    @staticmethod
    def forward(ctx, weight, rows, starts):
        ctx.weight = weight
        ctx.save_for_backward(rows, starts)
        return F.embedding_bag(rows, weight, starts, mode="sum", padding_idx=NOTHING)

    @staticmethod
    def backward(ctx, given):
        rows, starts = ctx.saved_tensors
        sizes = torch.diff(starts, append=torch.tensor([len(rows)]))
        real = rows != NOTHING
        if ctx.weight.grad is None:
            ctx.weight.grad = torch.zeros_like(ctx.weight)
        ctx.weight.grad.index_add_(0, rows[real], given[torch.repeat_interleave(sizes)[real]])
        return None, None, None


class Read(NamedTuple):
    """Texts as the encoder reads them; texts * places, padded."""

    tokens: torch.Tensor
    meaning: torch.Tensor
    importance: torch.Tensor
    mask: torch.Tensor
    roles: torch.Tensor
    claims: torch.Tensor
    needs: torch.Tensor

    def of(self, texts):
        return Read(*(part[texts] for part in self))


class Encoder(nn.Module):
    """Sums features into places, and places into texts."""

    def __init__(self, features):
        super().__init__()
        self.table = nn.Embedding(features + FIRST, WIDTH)
        nn.init.normal_(self.table.weight, std=2 / math.sqrt(WIDTH))
        self.roles = nn.Embedding(3, WIDTH)
        nn.init.zeros_(self.roles.weight)
        self.tokens = nn.Linear(WIDTH, TOKEN, bias=False)
        self.meaning = nn.Linear(WIDTH, MEANING, bias=False)
        self.counts = nn.Linear(WIDTH, 2)
        # What a question's place asks, what a passage's tells, and how much it matters that the one is told by the other.
        self.asks, self.tells = nn.Linear(WIDTH, CLAIM, bias=False), nn.Linear(WIDTH, CLAIM, bias=False)
        self.tells.weight.data.copy_(self.asks.weight.data)
        self.need = nn.Linear(WIDTH, 1)
        nn.init.zeros_(self.need.weight), nn.init.constant_(self.need.bias, -1.0)
        # How sharply likeness turns into "told", and how much of it is called for.
        self.told = nn.Parameter(torch.tensor([8.0, 4.0]))
        # How meaning, the question's places and the heading's places add up, and what no entry scores.
        self.mix = nn.Parameter(torch.tensor([8.0, 8.0, 4.0]))
        self.none = nn.Parameter(torch.tensor(14.0))

    def forward(self, texts, dropout=0.0):
        """Reads texts, each a list of (rows, counts, role)."""
        parts = [part for text in texts for part in text]
        counts = np.concatenate([part[1] for part in parts])
        rows = np.concatenate([part[0] for part in parts])
        if dropout:
            place_gone = np.repeat(np.random.random(len(counts)) < dropout * 0.7, counts)
            rows = np.where(place_gone | (np.random.random(len(rows)) < dropout), NOTHING, rows)
        lengths = np.array([sum(len(part[1]) for part in text) for text in texts])
        longest = int(lengths.max())
        at = np.repeat(np.arange(len(texts)), lengths) * longest + np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        at = torch.from_numpy(at)
        given = torch.from_numpy(np.concatenate([np.full(len(part[1]), part[2]) for part in parts]))
        roles = torch.full((len(texts) * longest,), -1).index_copy(0, at, given).view(len(texts), longest)
        mask = roles >= 0
        bags = Bags.apply(self.table.weight, torch.from_numpy(rows), torch.from_numpy(np.concatenate([[0], np.cumsum(counts)[:-1]])))
        x = torch.zeros(len(texts) * longest, WIDTH).index_copy(0, at, bags + self.roles(given)).view(len(texts), longest, WIDTH)
        x = F.rms_norm(x, (WIDTH,), eps=torch.finfo(torch.float32).eps)
        attention, importance = self.counts(x).masked_fill(~mask[..., None], -1e9).unbind(-1)
        summed = (torch.softmax(attention, 1)[..., None] * x).sum(1)
        tokens = F.normalize(self.tokens(x), dim=-1) * mask[..., None]
        claims = F.normalize(torch.where((roles == 0)[..., None], self.asks(x), self.tells(x)), dim=-1) * mask[..., None]
        needs = F.softplus(self.need(x)[..., 0]) * mask
        return Read(tokens, F.normalize(self.meaning(summed), dim=-1), F.softplus(importance) * mask, mask, roles, claims, needs)

    def score(self, questions, passages):
        """How well each passage answers each question: [questions, passages]."""
        likeness = torch.einsum("qid,pjd->qipj", questions.tokens, passages.tokens).masked_fill(~passages.mask, -1.0)
        importance = questions.importance
        answered = (importance[:, :, None] * likeness.amax(3)).sum(1) / importance.sum(1)[:, None].clamp_min(1e-6)
        weight = passages.importance * (passages.roles == 1)
        repeated = likeness.masked_fill(~questions.mask[:, :, None, None], -1.0).amax(1)
        repeated = (weight * repeated).sum(2) / weight.sum(1).clamp_min(1e-6)
        return self.mix[0] * (questions.meaning @ passages.meaning.T) + self.mix[1] * answered + self.mix[2] * repeated

    def tells_all(self, questions, passages):
        """The logarithm of the probability that a passage tells all that is asked, for each of n questions and its passage: a noisy and
        over the question's places."""
        likeness = torch.einsum("nid,njd->nij", questions.claims, passages.claims).masked_fill(~passages.mask[:, None], -1.0)
        return -(questions.needs * F.softplus(self.told[1] - self.told[0] * likeness.amax(2))).sum(1)
