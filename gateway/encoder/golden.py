"""Writes golden.json: vectors that the Rust encoder must give with the weights beside it."""

import json

import numpy as np
from safetensors.numpy import load_file

from bank import HERE
from features import MASK, QUESTION, features, mix, places

TEXTS = ["收到货后多久可以退货？", "How long is the warranty?", "ＫＸ-２００ 咖啡机 1450W", "退货 return", "zqxv 魑魅", "Straße café Ünïcode", "", "!!!"]
CODE_ENTRIES, MEANING_SHARE, PIECE = 6, 0.75, 3


class Weights:
    """A weights file, used as src/knowledge/encoder.rs uses it."""

    def __init__(self, path):
        for name, tensor in load_file(path).items():
            setattr(self, name, tensor)
        self.row = {int(hash): at for at, hash in enumerate(self.hashes)}

    def place(self, found):
        """What stands at a place, scaled, and whether more than pieces of it was learned."""
        known = [(self.row[hash], kind) for hash, kind in found if hash in self.row]
        summed = sum((self.table[row].astype(np.float32) * self.scales[row] for row, _ in known), np.zeros(self.table.shape[1], np.float32))
        x = (summed if known else self.unknown) + self.roles[QUESTION]
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


if __name__ == "__main__":
    weights = Weights(HERE / "encoder.safetensors")
    vectors = map(weights.vector, places([(text, QUESTION) for text in TEXTS]), features(TEXTS))
    cases = [{"text": text, "vector": [round(float(x), 6) for x in vector[::8]]} for text, vector in zip(TEXTS, vectors)]
    (HERE / "golden.json").write_text(json.dumps(cases, ensure_ascii=False) + "\n", encoding="utf-8")
