"""Samples that share their passages: one prompt up to the question (the trunk), and many questions with their replies (the branches).

Choosing is learned from many questions, and a prompt is mostly passages; so the passages are read once for some fifteen questions. The
passages are what the gateway's own retrieval finds in the businesses of `bank/bases`, and every branch reads as if it stood alone.
"""

import random
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

from data import REFUSAL, Bank, Source
from prompt import Sample, developer_text, system_text

sys.path.append(str(Path(__file__).resolve().parent / "../../gateway/encoder"))
from bank import language_of, left_out, read_businesses  # noqa: E402
from features import ask  # noqa: E402

LANGUAGES = ("zh", "en")
# What one decision weighs in a tree's loss, beside 1 for a token of an answer.
DECISION = 3.0


@dataclass
class Tree:
    """Token ids; `weights` as long as `tokens`, each the weight of saying this token after those before it."""

    trunk: list[int]
    trunk_weights: list[float]
    branches: list[tuple[list[int], list[float]]] = field(default_factory=list)  # (tokens, weights)
    kinds: list[str] = field(default_factory=list)  # of each branch

    def size(self):
        return len(self.trunk) + sum(len(tokens) for tokens, _ in self.branches)


@dataclass
class Asked:
    """A question, the entry that answers it (None: none), and the entries that retrieval finds for it, best first."""

    text: str
    entry: int | None
    found: list[int]


@dataclass
class Shop:
    """A business in one language."""

    name: str
    language: str
    entries: list[tuple[str, str]]  # (title, text)
    asked: list[Asked] = field(default_factory=list)


def shops(held: bool, most=None) -> list[Shop]:
    """Businesses (at most `most`) in each of their languages, with what retrieval finds; `held`: those that neither encoder nor model are
    trained on."""
    businesses = read_businesses()
    hidden = {business.name for business in left_out(businesses) if not business.kinds}
    chosen = [business for business in businesses if (business.name in hidden) == held]
    if most is not None:
        chosen = random.Random(most).sample(chosen, min(most, len(chosen)))
    made = [shop for business in chosen for shop in in_languages(business)]
    bases = [{"entries": [{"question": title, "similar": [], "text": text} for title, text in shop.entries], "queries": [a.text for a in shop.asked]} for shop in made]
    for shop, results in zip(made, ask(bases)):
        for asked, result in zip(shop.asked, results):
            asked.found = [place for place, _ in result["candidates"]][:6]
    return made


def in_languages(business):
    for language in LANGUAGES:
        kept = [entry for entry in business.entries if language in entry.titles]
        if len(kept) < 6:
            continue
        shop = Shop(business.name, language, [(entry.titles[language], entry.texts[language]) for entry in kept])
        shop.asked = [Asked(text, place, []) for place, entry in enumerate(kept) for text in entry.questions if language_of(text) == language]
        shop.asked += [Asked(text, None, []) for text in business.uncovered if language_of(text) == language]
        if shop.asked:
            yield shop


def typed(question, chance):
    """With or without a capital and a mark at the end: in the bank these tell covered questions from uncovered ones, which must not be learned."""
    question, chinese = question.rstrip("?？。. "), language_of(question) == "zh"
    if not chinese:
        question = chance.choice([question[:1].upper(), question[:1].lower()]) + question[1:]
    return question + chance.choice(["", "？" if chinese else "?"])


class Trees:
    """Draws trees; one a process, from its own seed. With `plain`, some are samples and drills of `data.Source`."""

    def __init__(self, seed, encoder, shops, plain=0.25, entries=()):
        bank = Bank()
        self.chance = random.Random(seed)
        self.source = Source(seed, bank, entries=list(entries), misses=0.3, real=0.1, prefaced=0.12)
        self.encoder, self.shops, self.plain = encoder, shops, plain
        self.off = bank.off

    def next(self) -> Tree:
        roll = self.chance.random()
        if roll < self.plain * 0.7:
            return self.alone(self.source.sample())
        return self.alone(self.source.drill(1.0)) if roll < self.plain else self.shared()

    def alone(self, sample) -> Tree:
        """A sample of one question as a tree without branches."""
        prompt, (reply, weights) = self.encoder.prompt(sample), self.encoder.reply(sample)
        return Tree(prompt + reply, [0.0] * len(prompt) + weights)

    def shared(self) -> Tree:
        c = self.chance
        shop = c.choice(self.shops)
        anchor = c.choice(shop.asked)
        places = self.passages(shop, anchor)
        passages = self.dressed(shop, places)
        trunk = self.trunk(passages)
        tree = Tree(trunk, [0.0] * len(trunk))
        for asked in self.questions(shop, anchor, places):
            place = places.index(asked.entry) if asked.entry in places else None
            whole = c.random() < (0.2 if place is not None else 0.08)
            self.branch(tree, asked.text, shop.language, passages, place, whole)
        return tree

    def passages(self, shop, anchor):
        """What retrieval finds for the anchor, with the entry that answers it among them; in any order."""
        c = self.chance
        count = c.choices([1, 2, 3], [3, 3, 8])[0]  # the gateway leaves out what lies far behind the best
        places = anchor.found[:count]
        if c.random() < 0.3:  # some that retrieval would not find, so that the unlike is seen too
            places = anchor.found[:1] + c.sample(range(len(shop.entries)), min(2, len(shop.entries)))
        if anchor.entry is not None and anchor.entry not in places:
            places = [*places[: count - 1], anchor.entry]
        places = list(dict.fromkeys(places))[:count]
        if c.random() < 0.7:
            c.shuffle(places)
        return places

    def questions(self, shop, anchor, places):
        """About as many that a passage answers as not; of the latter mostly those for which retrieval finds these passages."""
        c = self.chance
        answered = [c.sample(own, min(4, len(own))) for place in places if (own := [a for a in shop.asked if a.entry == place])]
        chosen = [asked for group in answered for asked in group]
        others = [a for a in shop.asked if a.entry not in places]
        near = [a for a in others if set(a.found[:3]) & set(places)]
        uncovered = [a for a in near if a.entry is None]
        chosen += c.sample(uncovered, min(4, len(uncovered))) + c.sample(near, min(3, len(near)))
        chosen += c.sample(others, min(1, len(others))) + [self.stranger(shop.language)]
        chosen = list({asked.text: asked for asked in [anchor, *chosen]}.values())
        c.shuffle(chosen)
        return chosen

    def stranger(self, language):
        c = self.chance
        if c.random() < 0.5:
            return Asked(c.choice(self.off["q" if language == "zh" else "e"]), None, [])
        other = c.choice([shop for shop in c.sample(self.shops, 20) if shop.language == language] or self.shops)
        return Asked(c.choice([asked for asked in other.asked if asked.entry is None] or other.asked).text, None, [])

    def dressed(self, shop, places):
        """(title, text) of each: other figures, two texts in one, a document's heading for a title, now and then."""
        c = self.chance
        made = []
        for place in places:
            title, text = shop.entries[place]
            questions = " ".join(asked.text for asked in shop.asked if asked.entry == place)
            if c.random() < 0.4:
                text = self.refigured(text, title + questions)
            if c.random() < 0.12:
                text = self.source.join(text, c.choice(shop.entries)[1], shop.language)
            if c.random() < 0.05:
                text = self.source.scramble(text, shop.language)
            if c.random() < 0.12:
                title = self.source.heading(None, shop.language)
            made.append((title, text))
        return made

    def refigured(self, text, kept):
        """Other digits, where neither title nor questions speak of them."""
        c = self.chance

        def other(match):
            digits = match.group()
            if digits in kept or c.random() < 0.3:
                return digits
            return "".join(c.choice("123456789" if at == 0 and digit != "0" else "0123456789") if len(digits) > 1 or at else c.choice("23456789") for at, digit in enumerate(digits))

        return re.sub(r"\d+", other, text)

    def trunk(self, passages):
        c = self.chance
        sample = Sample("", passages, None, "", "")
        if c.random() < 0.5:
            sample.system = system_text(f"{c.randint(2024, 2032)}-{c.randint(1, 12):02}-{c.randint(1, 28):02}", c.choice(["low", "low", "medium"]))
            sample.developer = developer_text()
        prompt = self.encoder.prompt(sample)
        return prompt[: -self.closing()]

    def closing(self):
        """Tokens between the question and the reply."""
        return 2 + len(self.encoder.text("assistant"))

    def branch(self, tree, question, language, passages, place, whole):
        said = "none" if place is None else f"[{place + 1}]"
        answer = REFUSAL[language] if place is None else passages[place][1]
        sample = Sample(self.source.vary(typed(question, self.chance), language), passages, place, said, answer)
        prompt = self.encoder.prompt(Sample(sample.question, [], None, "", ""))
        start = len(self.encoder.prompt(Sample("", [], None, "", ""))) - self.closing()
        reply, weights = self.encoder.reply(sample)
        decision = len(self.encoder.said("analysis", said))
        opening = decision - len(self.encoder.text(said))
        weights = [0.0] * opening + [DECISION] * (decision - opening) + weights[decision:]
        if not whole:
            reply, weights = reply[:decision], weights[:decision]
        tokens = prompt[start:] + reply
        if len(tokens) <= 300:
            tree.branches.append((tokens, [0.0] * (len(tokens) - len(reply)) + weights))
            tree.kinds.append("none" if place is None else "hit")
