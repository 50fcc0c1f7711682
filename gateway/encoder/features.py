"""The features of a text, by the same rules as src/knowledge/features.rs."""

import unicodedata

GRAM1, GRAM2, GRAM3, WORD, PIECE, PAIR = range(6)
KINDS = 6
MAX_CHARACTERS = 2_000
MASK = (1 << 64) - 1
INVISIBLE = {0xAD, 0x180E, 0xFEFF, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2065)}
NOT_GRAM = [
    (0x2000, 0x2BFF), (0x3000, 0x3004), (0x3008, 0x303F), (0x30FB, 0x30FB), (0xE000, 0xF8FF), (0xFE00, 0xFE6F),
    (0xFF00, 0xFFFF), (0x1F000, 0x1FAFF), (0xE0000, 0x10FFFF),
]


def mix(x):
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
    return x ^ (x >> 31)


def feature(kind, text):
    """(hash, kind): FNV-1a over the kind's byte and the text, mixed."""
    x = 0xCBF29CE484222325
    for byte in bytes([kind]) + text.encode():
        x = ((x ^ byte) * 0x100000001B3) & MASK
    return mix(x), kind


def normalise(text):
    kept = [c for c in unicodedata.normalize("NFKC", text) if ord(c) not in INVISIBLE]
    return "".join(c.lower() for c in kept[:MAX_CHARACTERS])


def is_gram(c):
    return ord(c) >= 0x370 and not any(low <= ord(c) <= high for low, high in NOT_GRAM)


def is_word(c):
    return (c.isascii() and c.isalnum()) or (0xC0 <= ord(c) <= 0x24F and ord(c) not in (0xD7, 0xF7))


def stem(word):
    if not all("a" <= c <= "z" for c in word):
        return word
    for ending, left in [("ies", 3), ("ing", 4), ("ed", 4), ("es", 4), ("s", 3), ("y", 3), ("e", 4)]:
        if ending == "s" and word.endswith("ss"):
            continue
        if word.endswith(ending) and len(word) - len(ending) >= left:
            return word[: -len(ending)]
    return word


def runs(text):
    """(is_gram, run) pairs, and None where something other than a letter or digit stands between."""
    run, kind = "", None
    for c in text:
        now = True if is_gram(c) else False if is_word(c) else None
        if now != kind and run:
            yield kind, run
            run = ""
        kind = now
        if now is not None:
            run += c
    if run:
        yield kind, run


def features(text):
    """The set of (hash, kind) of a text, sorted."""
    found, previous = set(), None
    for grams, run in runs(normalise(text)):
        if grams:
            for size, kind in ((1, GRAM1), (2, GRAM2), (3, GRAM3)):
                found.update(feature(kind, run[i : i + size]) for i in range(len(run) - size + 1))
            previous = None
            continue
        root = stem(run)
        found.add(feature(WORD, root))
        if not (run.isascii() and run.isdigit()):
            for size in (3, 4):
                bordered = f"<{run}>"
                found.update(feature(PIECE, bordered[i : i + size]) for i in range(len(bordered) - size + 1))
        if previous is not None:
            found.add(feature(PAIR, f"{previous} {root}"))
        previous = root
    return sorted(found)
