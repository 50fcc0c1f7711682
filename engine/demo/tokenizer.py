"""Builds the demo model's tokenizer.json: byte-level BPE in which every common Chinese character is one token.

Merges come from two places: three bytes -> one character for each GB 2312 level-1 character and the full-width
punctuation, written down directly; and English merges learned from the question bank. Digits stay single and no merge
crosses a line end, so that a passage has the same tokens in the prompt and in the answer that copies it.
"""

import json
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

SPECIALS = ["<|endoftext|>", "<|return|>", "<|constrain|>", "<|channel|>", "<|start|>", "<|end|>", "<|message|>", "<|call|>"]
PUNCTUATION = "，。！？；：、（）【】《》“”‘’—…·￥～％＋－×÷℃①②③④⑤⑥⑦⑧⑨⑩→‹›"
# Words, numbers of up to three digits, punctuation with its line ends, line ends, blanks: after o200k's published pattern.
PATTERN = (
    r"[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def build(english: list[str], merges_english: int, path: Path) -> Tokenizer:
    """Writes tokenizer.json to `path`; `english` is the text that the English merges are learned from."""
    alphabet = byte_alphabet()
    merges = character_merges(alphabet) + learned_merges(english, merges_english)
    vocabulary = {symbol: number for number, symbol in enumerate(sorted(alphabet.values()))}
    for left, right in merges:
        vocabulary.setdefault(left + right, len(vocabulary))
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    tokenizer.pre_tokenizer = splitting()
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(SPECIALS)
    tokenizer.save(str(path))
    return tokenizer


def splitting():
    from tokenizers import Regex

    split = pre_tokenizers.Split(Regex(PATTERN), behavior="isolated")
    return pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def character_merges(alphabet: dict[int, str]) -> list[tuple[str, str]]:
    merges: dict[tuple[str, str], None] = {}
    for character in list(PUNCTUATION) + common_characters():
        symbols = [alphabet[byte] for byte in character.encode()]
        whole = symbols[0]
        for symbol in symbols[1:]:
            merges.setdefault((whole, symbol))
            whole += symbol
    return list(merges)


def common_characters() -> list[str]:
    """The 3755 characters of GB 2312 level 1 (rows 16 to 55)."""
    cells = (bytes([0xA0 + row, 0xA0 + cell]) for row in range(16, 56) for cell in range(1, 95))
    return [text for text in (cell.decode("gb2312", "ignore") for cell in cells) if text]


def learned_merges(english: list[str], count: int) -> list[tuple[str, str]]:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = splitting()
    letters = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=256 + count, initial_alphabet=letters, min_frequency=3, show_progress=False)
    lines = ["".join(c for c in line if c.isascii() and not c.isdigit() and c not in "\r\n") for line in english]
    tokenizer.train_from_iterator(lines, trainer)
    merges = json.loads(tokenizer.to_str())["model"]["merges"]
    return [tuple(merge) for merge in merges]


def byte_alphabet() -> dict[int, str]:
    """GPT-2's printable stand-in for each byte."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [byte for byte in range(256) if byte not in plain]
    return {byte: chr(byte) for byte in plain} | {byte: chr(256 + n) for n, byte in enumerate(rest)}
