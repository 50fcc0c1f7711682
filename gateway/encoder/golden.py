"""Writes golden.json: what the Rust encoder must give with the weights beside it."""

import json

import numpy as np
from safetensors.numpy import load_file

from bank import HERE
from features import HEADING, MASK, QUESTION, features, mix, places

TEXTS = ["收到货后多久可以退货？", "How long is the warranty?", "ＫＸ-２００ 咖啡机 1450W", "退货 return", "zqxv 魑魅", "Straße café Ünïcode", "", "!!!"]
PAIRS = [("七天内能退货吗", "收到货后多久可以退货？"), ("Can I get my money back?", "退款要多久"), ("do you sell bread", "Warranty of the kettle"), ("", "退货")]
CODE_ENTRIES, MEANING_SHARE, PIECE, MOST_LACKING = 6, 0.75, 3, 12


class Weights:
    """A weights file, used as src/knowledge/encoder.rs uses it."""

    def __init__(self, path):
        for name, tensor in load_file(path).items():
            setattr(self, name, tensor)
        self.row = {int(hash): at for at, hash in enumerate(self.hashes)}

    def place(self, found, role=QUESTION):
        """What stands at a place, scaled, and whether more than pieces of it was learned."""
        known = [(self.row[hash], kind) for hash, kind in found if hash in self.row]
        summed = sum((self.table[row].astype(np.float32) * self.scales[row] for row, _ in known), np.zeros(self.table.shape[1], np.float32))
        x = (summed if known else self.unknown) + self.roles[role]
        return x / np.sqrt((x * x).mean() + np.finfo(np.float32).eps), any(kind != PIECE for _, kind in known)

    def vector(self, found, named):
        """The 512 numbers of a question with these features at its places, and by name."""
        read = [self.place(place) for place in found]
        if not read:
            return np.zeros(512)
        xs = np.stack([x for x, _ in read])
        attention = np.exp(np.minimum(xs @ self.counts[0] + self.counts_bias[0], 12))
        meaning, wording = self.meaning @ (attention @ xs), np.zeros(256)
        for hash, kind in named:
            weight = self.rarity[self.row[hash]] if hash in self.row else self.unseen[kind]
            bits = mix((hash ^ 0x9E3779B97F4A7C15) & MASK)
            for nine in ((bits >> (9 * entry)) & 0x1FF for entry in range(CODE_ENTRIES)):
                wording[nine & 0xFF] += -weight if nine & 0x100 else weight
        share = MEANING_SHARE * np.mean([learned for _, learned in read])
        both = np.concatenate([meaning / np.linalg.norm(meaning) * np.sqrt(share), wording / np.linalg.norm(wording) * np.sqrt(1 - MEANING_SHARE)])
        return both / np.linalg.norm(both)

    def tells_all(self, question, heading):
        """How surely a heading tells all that a question asks, and what it tells worst: logarithms."""
        asked, there = ([self.place(place, role)[0] for place in found] for found, role in ((question, QUESTION), (heading, HEADING)))
        if not asked:
            return 0.0, 0.0
        asks, tells = np.stack(asked) @ self.asks.T, np.stack(there) @ self.tells.T
        likeness = (asks / np.linalg.norm(asks, axis=1, keepdims=True)) @ (tells / np.linalg.norm(tells, axis=1, keepdims=True)).T
        need = np.logaddexp(0, np.stack(asked) @ self.need + self.need_bias)
        lacking = need * np.logaddexp(0, self.told[1] - self.told[0] * likeness.max(1))
        return -min(lacking.sum(), MOST_LACKING), -min(lacking.max(), MOST_LACKING)


if __name__ == "__main__":
    weights = Weights(HERE / "encoder.safetensors")
    vectors = map(weights.vector, places([(text, QUESTION) for text in TEXTS]), features(TEXTS))
    vectors = [{"text": text, "vector": [round(float(x), 6) for x in vector[::8]]} for text, vector in zip(TEXTS, vectors)]
    found = places([(text, role) for pair in PAIRS for text, role in zip(pair, (QUESTION, HEADING))])
    told = [{"question": q, "heading": h, "told": [round(float(x), 5) for x in weights.tells_all(*found[2 * at : 2 * at + 2])]} for at, (q, h) in enumerate(PAIRS)]
    (HERE / "golden.json").write_text(json.dumps({"vectors": vectors, "told": told}, ensure_ascii=False) + "\n", encoding="utf-8")
