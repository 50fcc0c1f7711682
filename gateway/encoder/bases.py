"""Knowledge bases with questions that they cover and questions that they do not, and how the gateway's retrieval measures each question."""

import random
from dataclasses import dataclass, field

from bank import HERE, language_of, left_out, read_businesses, read_lines
from features import ask

# Smaller copies of each base, without some of the entries: questions about those are not covered, and as near as can be.
LEFT_OUT = 0.35


@dataclass
class Question:
    """A question with the places of the entries that answer it (none: not covered) and its kind."""

    text: str
    answers: list
    kind: str
    language: str


@dataclass
class Base:
    """A business's entries as imported, and questions about them."""

    name: str
    entries: list = field(default_factory=list)
    questions: list = field(default_factory=list)


def bases():
    """The businesses that the encoder was not trained on: in Chinese, in English or in both, with similar questions or without."""
    found = []
    for at, business in enumerate(left_out(read_businesses())):
        languages = ("zh", "en") if business.kinds else [("zh", "en"), ("zh",), ("en",), ("zh", "en")][at % 4]
        found.append(imported(business, languages, similar=4 * (at % 3 == 0)))
    return found


def imported(business, languages, similar=0):
    """The base with entries in these languages, each with some of its questions as similar ones; the others are asked."""
    base = Base(business.name)
    for number, entry in enumerate(business.entries):
        known, asked = entry.questions[::2][:similar], entry.questions
        asked = [question for question in asked if question not in known]
        places = {}
        for language in (l for l in languages if l in entry.titles):
            places[language] = len(base.entries)
            base.entries.append({"question": entry.titles[language], "similar": known, "text": entry.texts[language], "number": number})
        for question in asked:
            # An answer in the customer's own language is the right one, where there is one.
            language = language_of(question)
            if language in places or len(entry.titles) == 1:
                base.questions.append(Question(question, [places.get(language) if language in places else next(iter(places.values()))], "covered", language))
    wanted = [text for text in business.uncovered if language_of(text) in languages]
    base.questions += [Question(text, [], business.kinds.get(text, "near"), language_of(text)) for text in wanted]
    base.questions += [two for kind in ("covered", "near") for two in pairs([q for q in base.questions if q.kind == kind])]
    return base


def pairs(questions):
    """Questions in two parts, as patient customers ask them: two that stand side by side and have one answer, or none."""
    for one, other in zip(questions[::2], questions[1::2]):
        if one.answers == other.answers and one.language == other.language:
            mark = "，" if one.language == "zh" else ", "
            yield Question(one.text.rstrip("?？。. ") + mark + other.text, one.answers, f"{one.kind}, two parts", one.language)


def strangers(bases, base, rng):
    """Questions that have nothing to do with `base`: what other businesses do not even answer themselves (what they do answer, as opening
    hours, many answer alike), the world at large, and small talk."""
    languages = {question.language for question in base.questions}
    others = [q.text for other in bases if other.name != base.name for q in other.questions if q.kind == "near" and q.language in languages]
    kinds = {"other business": rng.sample(sorted(set(others)), 60)}
    for kind, name in (("off topic", "offtopic.txt"), ("small talk", "smalltalk.txt")):
        kinds[kind] = rng.sample(read_lines(name)[1::2], 60)
    return [Question(text, [], kind, language_of(text)) for kind, texts in kinds.items() for text in texts if language_of(text) in languages]


def smaller(base, rng):
    """A copy without some entries; the questions about those are then near misses."""
    gone = {number for number in range(len(base.entries)) if rng.random() < LEFT_OUT}
    kept = [place for place, entry in enumerate(base.entries) if entry["number"] not in gone]
    at = {place: new for new, place in enumerate(kept)}
    copy = Base(base.name, [base.entries[place] for place in kept])
    for question in base.questions:
        if question.answers:
            answers = [at[place] for place in question.answers if place in at]
            copy.questions.append(Question(question.text, answers, "covered" if answers else "left out", question.language))
    return copy


def joined(base, others):
    """A large base: the entries of others stand beside the base's own. Its uncovered questions may be answered by them, so they are left out."""
    entries = base.entries + [entry for other in others for entry in other.entries]
    return Base(base.name, entries, [question for question in base.questions if question.answers])


def cases(bases, seed=1):
    """Every base whole, with strangers; without some entries; and in larger ones, whose own uncovered questions still have no answer."""
    rng, made = random.Random(seed), []
    for base in bases:
        made.append(Base(base.name, base.entries, base.questions + strangers(bases, base, rng)))
        made.append(smaller(base, rng))
        large = joined(base, rng.sample([other for other in bases if other.name != base.name], rng.choice([1, 2, 4])))
        large.questions = rng.sample(large.questions, min(120, len(large.questions)))
        large.questions += [question for question in base.questions if question.kind == "near"] + strangers(bases, base, rng)
        made.append(large)
    return made


def measure(made, encoder=HERE / "encoder.safetensors"):
    """[(base, question, result)]: what the gateway measures of each question in its base."""
    asked = [{"entries": base.entries, "queries": [question.text for question in base.questions]} for base in made]
    results = ask(asked, "--encoder", str(encoder))
    return [(base, question, one) for base, result in zip(made, results) for question, one in zip(base.questions, result)]
