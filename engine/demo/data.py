"""Training samples for the demo model, made up on the fly from the question bank and from invented subjects.

What is to be learned: match the question with one passage (or see that none answers), say its number in the analysis, and
copy its facts exactly. So subjects, figures and names are random, the right passage stands at every place equally often,
and the other passages are as alike as retrieval would make them.
"""

import json
import random
import string
from dataclasses import dataclass
from pathlib import Path

from prompt import INSTRUCTIONS, Sample, developer_text, system_text
from tokenizer import common_characters

HERE = Path(__file__).parent
REFUSAL = {
    "zh": "抱歉，我不知道：我们的资料里没有提到这个问题。要不要为您转接人工客服？",
    "en": "Sorry, I don't know: our information does not cover this. Shall I hand you over to a person?",
}
SMALLTALK = {
    "h": "您好！请问有什么可以帮您？", "g": "Hello! How can I help you?",
    "t": "不客气，很高兴能帮到您！", "u": "You're welcome, glad to help!",
    "y": "再见，祝您生活愉快！", "z": "Goodbye, have a nice day!",
    "w": "我是自动客服助手，可以回答常见问题，也可以为您转接人工客服。",
    "v": "I am the automatic customer service assistant. I can answer common questions or hand you over to a person.",
}


@dataclass
class Topic:
    key: str
    vertical: str
    zh: list[str]
    en: list[str]
    answers_zh: list[str]
    answers_en: list[str]

    def questions(self, language):
        return self.zh if language == "zh" else self.en

    def answers(self, language):
        return self.answers_zh if language == "zh" else self.answers_en


class Bank:
    """The hand-written questions: topics (split by a hash of their key), small talk, questions off any topic."""

    def __init__(self, folder: Path = HERE / "bank", held_out: float = 0.08):
        topics = [topic for path in sorted(folder.glob("bank_*.txt")) for topic in read_topics(path)]
        topics = [t for t in topics if len(t.zh) > 1 and len(t.en) > 1 and t.answers_zh and t.answers_en]
        chance = random.Random(7)
        self.held = [t for t in topics if chance.random() < held_out]
        held = {t.key for t in self.held}
        self.train = [t for t in topics if t.key not in held]
        self.small = read_kinds(folder / "smalltalk.txt")
        self.off = read_kinds(folder / "offtopic.txt")


def read_topics(path: Path):
    topic = None
    for line in path.read_text("utf-8").splitlines():
        kind, _, rest = line.strip().partition(" ")
        if kind == "@":
            key, vertical, *_ = [part.strip() for part in rest.split("|")] + [""]
            topic = Topic(key, vertical, [], [], [], [])
            yield topic
        elif topic and rest:
            {"q": topic.zh, "e": topic.en, "a": topic.answers_zh, "b": topic.answers_en}.get(kind, []).append(rest.strip())


def read_kinds(path: Path) -> dict[str, list[str]]:
    kinds: dict[str, list[str]] = {}
    if path.exists():
        for line in path.read_text("utf-8").splitlines():
            kind, _, rest = line.strip().partition(" ")
            if rest:
                kinds.setdefault(kind, []).append(rest.strip())
    return kinds


# --- values for slots -------------------------------------------------------------------------------------------

HAN = common_characters()
SYLLABLES = [c + v for c in "b c d f g h j k l m n p r s t v w z br cl dr fl gr kr pl st tr sh ch th".split() for v in "a e i o u ai ea oo".split()]
SURNAMES, STREETS = "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦许何吕施张孔曹严华金魏陶姜戚谢邹", "中山人民解放建设和平文化滨江长安学府科技"


class Chance(random.Random):
    """Random values of each slot, in either language."""

    def han(self, low=2, high=4):
        return "".join(self.choice(HAN) for _ in range(self.randint(low, high)))

    def word(self, low=2, high=3):
        word = "".join(self.choice(SYLLABLES) for _ in range(self.randint(low, high))) + self.choice(["", "", "n", "r", "x", "l", "s"])
        return word.capitalize() if self.random() < 0.6 else word

    def digits(self, count):
        return "".join(self.choice(string.digits) for _ in range(count))

    def number(self):
        roll = self.random()
        if roll < 0.45:
            return str(self.randint(1, 31))
        if roll < 0.75:
            return str(self.randint(10, 999))
        return str(self.randint(1000, 99999)) if roll < 0.85 else f"{self.randint(1, 400)}.{self.randint(1, 99)}"

    def slot(self, name: str, language: str) -> str:
        zh = language == "zh"
        if name in ("days", "hours", "minutes", "n"):
            return str(self.choice([self.randint(1, 12), self.randint(2, 60), self.randint(1, 365)]))
        if name == "percent":
            return self.choice([str(self.randint(1, 99)), f"{self.randint(0, 30)}.{self.randint(1, 9)}"])
        if name == "amount":
            return self.number()
        if name == "time":
            clock = f"{self.randint(0, 23)}:{self.choice(['00', '30', '15', '45', '20'])}"
            return clock if zh or self.random() < 0.5 else f"{self.randint(1, 12)} {self.choice(['am', 'pm'])}"
        if name == "date":
            month, day = self.randint(1, 12), self.randint(1, 30)
            names = "January February March April May June July August September October November December".split()
            return f"{month}月{day}日" if zh else self.choice([f"{names[month - 1]} {day}", f"{day} {names[month - 1]} {self.randint(2024, 2029)}"])
        if name == "phone":
            return self.choice([f"400-{self.digits(3)}-{self.digits(4)}", f"0{self.digits(2)}-{self.digits(8)}", f"400{self.digits(7)}", f"1-8{self.digits(2)}-{self.digits(3)}-{self.digits(4)}"])
        if name == "email":
            return f"{self.word().lower()}@{self.word().lower()}.{self.choice(['com', 'cn', 'net', 'example'])}"
        if name == "url":
            return f"{self.choice(['www.', 'https://', 'app.', ''])}{self.word().lower()}.{self.choice(['com', 'cn', 'shop'])}{self.choice(['', '/' + self.word().lower()])}"
        if name == "place":
            return (self.choice([f"{self.han(2, 2)}市{self.han(2, 2)}区{self.choice(STREETS)}{self.choice(STREETS)}路{self.randint(1, 999)}号", f"{self.han(2, 3)}大厦{self.randint(1, 30)}楼", f"{self.han(2, 3)}店"])
                    if zh else self.choice([f"{self.randint(1, 999)} {self.word().capitalize()} {self.choice(['Street', 'Road', 'Avenue'])}", f"the {self.word().capitalize()} branch"]))
        if name == "name":
            return self.choice(SURNAMES) + self.han(1, 2) if zh else f"{self.word().capitalize()} {self.word().capitalize()}"
        if name == "model":
            return self.choice(string.ascii_uppercase) + self.choice(["", "-", self.choice(string.ascii_uppercase)]) + self.digits(self.randint(1, 4)) + self.choice(["", "", "Pro", " Max", "S"])
        if name == "brand":
            return self.han(2, 3) if zh and self.random() < 0.6 else self.word().capitalize()
        if name == "material":
            return self.choice(["纯棉", "不锈钢", "亚麻", "陶瓷", "聚酯纤维", "真皮", "硅胶"]) if zh else self.choice(["cotton", "steel", "linen", "ceramic", "leather"])
        noun = self.choice(NOUNS_ZH if zh else NOUNS_EN)
        if zh:
            return self.choice([self.han(2, 3) + noun, noun, self.han(2, 4)])
        return self.choice([f"{self.word().capitalize()} {noun}", noun, self.word()])

    def fill(self, text: str, values: dict[str, str], language: str) -> str:
        """`text` with its slots filled: from `values` where they name one, else at random, each anew."""
        out, rest = [], text
        while "{" in rest:
            before, _, rest = rest.partition("{")
            name, _, rest = rest.partition("}")
            out += [before, values[name] if name in values else self.slot(name, language)]
        return "".join(out) + rest


NOUNS_ZH = "咖啡机 净水器 会员卡 月卡 课程 套餐 民宿 双人房 洗衣机 运动鞋 面膜 奶粉 行李箱 门票 充电宝 打印机 牙科检查 年票 保险 宽带 路由器 窗帘 沙发 礼盒 蛋糕 绿植 自行车 帐篷 耳机 手表 台灯 空调 钢琴课 体检 停车位 会议室 租车 机票 签证 云盘 发票系统".split()
NOUNS_EN = "kettle;grinder;gym pass;course;meal plan;double room;washing machine;trainers;face mask;suitcase;ticket;power bank;printer;check-up;insurance;router;curtain;sofa;gift box;cake;plant;bicycle;tent;headphones;watch;lamp;parking space;meeting room;car rental;visa service;cloud drive;piano lesson;boat tour;library card;locker;toolkit;season pass".split(";")
SHARED = ("product", "brand", "model", "place", "name", "material")


# --- invented subjects: titles that no bank holds ----------------------------------------------------------------

ASPECTS = [  # (zh questions, en questions, zh texts, en texts) about {product}
    (["{product}多少钱", "{product}的价格是多少？", "买一个{product}要花多少", "{product}怎么收费", "{product}贵不贵"], ["How much is the {product}?", "what does the {product} cost", "price of {product}?"],
     ["{product}售价{amount}元，会员价{amount}元。", "{product}每{x}{amount}元，{n}{x}起订。"], ["The {product} costs {amount} yuan; members pay {amount} yuan.", "It is {amount} dollars per {x}, with a minimum of {n}."]),
    (["{product}保修多久", "{product}的质保期是几年？", "{product}坏了还在保吗", "{product}保修政策"], ["How long is the warranty on the {product}?", "is my {product} still under warranty", "{product} guarantee period"],
     ["{product}自购买之日起保修{n}个月，{x}除外。", "整机质保{n}年，{x}质保{n}个月，凭{x}办理。"], ["The {product} has a {n}-month warranty, except for the {x}.", "{n} years on the whole unit and {n} months on the {x}."]),
    (["{product}什么时候营业", "{product}几点开门？", "{product}的开放时间", "晚上{product}还开着吗"], ["When does the {product} open?", "{product} opening hours", "is the {product} open late"],
     ["{product}每天{time}至{time}开放，{x}休息。", "周一至周五{time}开始，周末延长到{time}。"], ["The {product} is open from {time} to {time}, closed on {x} days.", "Weekdays from {time}; weekends until {time}."]),
    (["怎么预约{product}", "{product}如何预订？", "想约一下{product}", "{product}要提前多久预约"], ["How do I book the {product}?", "can I reserve {product}", "booking {product}"],
     ["请提前{days}天致电{phone}预约{product}。", "在{x}小程序选择{product}并支付{amount}元定金即可。"], ["Call {phone} at least {days} days ahead to book the {product}.", "Choose {product} at {url} and pay a deposit of {amount}."]),
    (["{product}在哪里", "{product}的地址？", "去{product}怎么走", "{product}在什么位置"], ["Where is the {product}?", "{product} address", "how do I get to the {product}"],
     ["{product}位于{place}，{x}旁边。", "地址：{place}，距{x}步行{minutes}分钟。"], ["You find the {product} at {place}, next to the {x}.", "It is at {place}, {minutes} minutes from the {x} on foot."]),
    (["{product}怎么清洁", "{product}如何保养？", "{product}脏了怎么洗", "{product}平时要怎么维护"], ["How do I clean the {product}?", "{product} care instructions", "maintaining my {product}"],
     ["每{days}天用{x}擦拭{product}，切勿使用{x}。", "先断电，再用{n}克{x}浸泡{minutes}分钟。"], ["Wipe the {product} with {x} every {days} days and never use {x}.", "Unplug it and soak it in {n} grams of {x} for {minutes} minutes."]),
    (["{product}可以退吗", "不想要{product}了能退款吗？", "{product}退换规则", "{product}退货要满足什么"], ["Can I return the {product}?", "refund for {product}", "I changed my mind about the {product}"],
     ["{product}在{days}天内可退，收取{percent}%手续费。", "未使用的{product}凭{x}可在{date}前退还。"], ["The {product} can be returned within {days} days for a fee of {percent}%.", "Unused {product} can be returned until {date} with the {x}."]),
    (["{product}的联系人是谁", "{product}找谁负责？", "{product}出问题联系谁", "{product}负责人电话"], ["Who is in charge of the {product}?", "contact person for {product}", "whom do I call about {product}"],
     ["{product}由{name}负责，电话{phone}。", "请联系{x}部的{name}，邮箱{email}。"], ["{name} looks after the {product}: call {phone}.", "Please write to {name} at {email}."]),
    (["{product}适合几岁的孩子", "{product}有年龄限制吗？", "小朋友能用{product}吗", "多大可以参加{product}"], ["Is there an age limit for the {product}?", "can kids use the {product}", "how old for {product}"],
     ["{product}适合{n}岁以上，{n}岁以下须{x}陪同。", "仅限{n}至{n}岁，需带{x}。"], ["The {product} is for ages {n} and up; under {n} with a {x}.", "Only ages {n} to {n}, and bring your {x}."]),
    (["{product}需要什么材料", "办{product}要带什么？", "申请{product}要准备哪些东西", "{product}所需文件"], ["What documents do I need for the {product}?", "what to bring for {product}", "{product} requirements"],
     ["办理{product}请携带{x}和{x}，费用{amount}元。", "需要{x}原件{n}份，{days}个工作日办结。"], ["Bring your {x} and {x} for the {product}; the fee is {amount}.", "You need {n} copies of the {x}; it takes {days} working days."]),
    (["{product}有多大", "{product}的尺寸和重量？", "{product}占地方吗", "{product}规格参数"], ["How big is the {product}?", "{product} dimensions and weight", "size of the {product}"],
     ["{product}尺寸为{n}×{n}×{n}厘米，重{n}公斤。", "容量{n}升，功率{amount}瓦。"], ["The {product} measures {n} by {n} cm and weighs {n} kg.", "It holds {n} litres and draws {amount} watts."]),
    (["{product}多久能到", "{product}什么时候发货？", "{product}几天送达", "{product}配送时效"], ["When will the {product} arrive?", "{product} delivery time", "how soon do you ship the {product}"],
     ["{product}{time}前下单当天发出，{days}天送达{x}。", "由{x}快递配送，运费{amount}元，{days}日内到。"], ["Order the {product} before {time} and it ships the same day; {days} days to {x}.", "Sent by {x} express for {amount}, arriving within {days} days."]),
]
OPENINGS_ZH = ["你好，", "请问", "请问一下，", "您好，我想问下", "亲，", "麻烦问一下", "那个", "客服在吗？", "我的订单号是{n}，", "我手机号138****{d}，"]
OPENINGS_EN = ["Hi, ", "Hello, ", "Excuse me, ", "Quick question: ", "hey ", "Could you tell me: ", "My order is #{n}. "]
PREFACES_ZH = ["我的手机号是1{d2}****{d}，", "身份证号是1101**********{d3}X，", "身份证4403**********{d}，", "我叫{name}，电话1{d2}****{d}，", "我上周在你们这里买了{product}，用了{n}天，", "订单号{n}{d}{d}，", "收件人{name}，地址{place}，", "之前问过一次没人理我，今天再来问一下，", "不好意思打扰了，我是第一次来，想了解一下，", "我同事推荐我来的，她说你们家不错，我有个问题，"]
PREFACES_EN = ["My phone is 1{d2}****{d}. ", "My ID is 1101**********{d3}X. ", "I'm {name}, e-mail a***@{d}.com, and ", "I bought the {product} {n} days ago. ", "Order {n}{d}{d}, sent to {place}. ", "Sorry to bother you, it is my first time here and I have a question. ", "I asked this before and nobody answered, so once more: "]
CLOSINGS_ZH = ["谢谢", "，谢谢！", "？急", "呢", "啊", "呀？", "，麻烦了", "…"]
CLOSINGS_EN = [" thanks", " Thanks!", " please", "??", " Thank you."]
MARKS_ZH = ["温馨提示：", "注意：", "", "", "", "", "", ""]


class Source:
    """Draws samples. One per process, from its own seed; `topics` decides between training and held-out."""

    def __init__(self, seed: int, bank: Bank, topics=None, entries: list[dict] | None = None, misses=0.22, real=0.06, mixed=0.3, prefaced=0.3):
        """`misses`: share of passages that do not answer; `real`: of entries from whole bases; `mixed`: of samples whose
        passages may differ in language; `prefaced`: of questions with something said before them."""
        self.chance, self.bank, self.topics = Chance(seed), bank, topics or bank.train
        self.entries, self.misses, self.real, self.mixed, self.prefaced = entries or [], misses, real, mixed, prefaced
        self.by_vertical: dict[str, list[Topic]] = {}
        for topic in self.topics:
            self.by_vertical.setdefault(topic.vertical, []).append(topic)

    def sample(self) -> Sample:
        roll = self.chance.random()
        if roll < 0.05 and self.bank.small:
            made = self.small_talk()
        elif roll < 0.10:
            made = self.nothing()
        else:
            made = self.grounded()
        return self.surround(made)

    def drill(self, difficulty: float) -> Sample:
        """Only the choice, many times over: one set of passages, several questions, each answered with a number alone.

        Matching is hard to learn from whole answers (one decision in three hundred tokens), and easy from these. At
        difficulty 0 a question repeats its title among unlike ones; at 1 it is as far from it as in `grounded`.
        """
        c, language = self.chance, "zh" if self.chance.random() < 0.6 else "en"
        entries: list[tuple] = []
        asked = language if c.random() > 0.1 * difficulty else ("en" if language == "zh" else "zh")
        count = c.choice([2, 3, 3, 3])
        while len(entries) < count + 1:
            hard = c.random() < difficulty and entries
            entry = self.distractor(entries, language, asked) if hard else self.entry(language, asked)
            if all(entry[1] != other[1] and not self.same(other, entry) for other in entries):
                entries.append(entry)
        shown = entries[:count]
        bare = c.random() < 0.6
        passages = [(title, self.own("{x}", {}, language) if bare else text) for _, title, text in shown]
        numbers = c.choices(range(count + 1), [4] * count + [2], k=c.randint(3, 9))
        first, *rest = dict(self.turn(entries, number, difficulty, asked) for number in numbers).items()
        return Sample(first[0], passages, None, first[1], "", turns=rest, kind="drill")

    def turn(self, entries, number, difficulty, asked):
        question, title, _ = entries[number]
        if self.chance.random() >= difficulty:
            question = title if self.chance.random() < 0.6 else self.excerpt(title)
        return self.vary(question, asked) if self.chance.random() < difficulty else question, "none" if number == len(entries) - 1 else f"[{number + 1}]"

    def excerpt(self, title):
        """Some of the title's words."""
        c = self.chance
        parts = list(title) if not title.isascii() else title.split(" ")
        start = c.randrange(max(1, len(parts) // 2))
        return ("" if not title.isascii() else " ").join(parts[start : start + max(3, len(parts) * 2 // 3)])

    def grounded(self) -> Sample:
        """A question with passages: one of them answers it, or none does."""
        c = self.chance
        language = "zh" if c.random() < 0.6 else "en"
        asked = language if c.random() < 0.93 else ("en" if language == "zh" else "zh")
        count = c.choices([1, 2, 3], [1, 2, 9])[0]
        miss = c.random() < self.misses
        entries = [self.entry(language, asked)]
        mixed = c.random() < self.mixed
        while len(entries) < count + 1:
            entries.append(self.distractor(entries, c.choice(["zh", "en"]) if mixed else language, asked))
        question, right = entries[0][0], entries[0][1:]
        others = [entry[1:] for entry in entries[1 : count + 1]]
        if miss:
            if c.random() < 0.35:
                question = c.choice(self.bank.off.get("q" if asked == "zh" else "e", []) + self.bank.off.get("p" if asked == "zh" else "r", []) or [question])
            return Sample(self.vary(question, asked), others, None, "none", REFUSAL[asked], kind="miss")
        place = c.randrange(count)
        passages = others[: count - 1]
        passages.insert(place, right)
        return Sample(self.vary(question, asked), passages, place, f"[{place + 1}]", right[1], kind="hit")

    def entry(self, language, asked, topic=None, aspect=None, product=None):
        """(question, title, text)"""
        c, roll = self.chance, self.chance.random()
        if topic is None and aspect is None and self.entries and c.random() < self.real:
            return self.from_base(language, asked, c.choice(self.entries))
        if aspect is not None or (topic is None and roll < 0.45):
            return self.invented(language, asked, aspect, product)
        return self.banked(language, asked, topic or c.choice(self.topics))

    def from_base(self, language, asked, entry):
        questions = [q for q in entry["questions"] if (not q.isascii()) == (asked == "zh")]
        if entry["language"] != language or not questions:
            return self.from_base(language, asked, self.chance.choice(self.entries))
        return self.chance.choice(questions), entry["title"], entry["text"]

    def banked(self, language, asked, topic, values=None):
        c = self.chance
        values = values or {name: c.slot(name, language) for name in SHARED}
        questions, titles = topic.questions(asked), topic.questions(language)
        title = titles[0] if c.random() < 0.6 else c.choice(titles)
        question = c.choice([q for q in questions if q != title] or questions) if c.random() < 0.93 else c.choice(questions)
        text = c.fill(c.choice(topic.answers(language)), {**values}, language)
        if c.random() < 0.25:
            text = self.scramble(text, language)
        if c.random() < 0.12:
            text = self.join(text, c.fill(c.choice(c.choice(self.topics).answers(language)), {}, language), language)
        if c.random() < 0.12:
            title = self.heading(topic, language)
        return c.fill(question, values, language), c.fill(title, values, language), text

    def heading(self, topic, language):
        """A document's headings instead of a question: the match must come from the text."""
        c = self.chance
        words = ["服务说明", "常见问题", "用户须知", "政策", "规定", "会员与服务", "流程"] if language == "zh" else ["Policy", "Good to know", "Service notes", "Terms", "House rules", "FAQ"]
        part = c.han(2, 4) if language == "zh" else c.word().capitalize()
        return f"{part}{c.choice(words)} > {c.choice(words)}{c.randint(1, 9)}" if language == "zh" else f"{part} {c.choice(words)} > {c.choice(words)} {c.randint(1, 9)}"

    def invented(self, language, asked, aspect=None, product=None):
        c = self.chance
        zh_q, en_q, zh_a, en_a = aspect or c.choice(ASPECTS)
        product = product or c.slot("product", language)
        values = {"product": product}
        question = c.choice(zh_q if asked == "zh" else en_q)
        title = c.choice(zh_q if language == "zh" else en_q)
        text = self.own(c.choice(zh_a if language == "zh" else en_a), values, language)
        if c.random() < 0.5:
            text = self.join(text, c.fill(c.choice(c.choice(self.topics).answers(language)), {}, language), language)
        if c.random() < 0.3:
            text = self.scramble(text, language)
        return c.fill(question, values, language), c.fill(title, values, language), text

    def own(self, text, values, language):
        c = self.chance
        while "{x}" in text:
            word = c.choice([c.han(2, 3), c.choice(NOUNS_ZH)]) if language == "zh" else c.choice([c.word(), c.choice(NOUNS_EN)])
            text = text.replace("{x}", word, 1)
        return c.fill(text, values, language)

    def distractor(self, entries, language, asked):
        """Alike: same vertical or same subject, and the likeliest of several by shared characters, as retrieval would rank."""
        c, question = self.chance, entries[0][0]
        used = {entry[1] for entry in entries} | {entry[2] for entry in entries}
        for _ in range(8):
            candidates = [self.candidate(entries, language, asked) for _ in range(c.choice([1, 1, 3, 6]))]
            best = max(candidates, key=lambda e: alike(question, e[1] + e[2]))
            if best[1] not in used and best[2] not in used and not self.same(entries[0], best):
                return best
        return self.invented(language, asked)

    def candidate(self, entries, language, asked):
        c, roll = self.chance, self.chance.random()
        first = entries[0]
        aspect, product = self.aspect_of(first)
        if aspect and roll < 0.3:
            return self.invented(language, asked, aspect, None)
        if aspect and roll < 0.65:
            return self.invented(language, asked, c.choice([a for a in ASPECTS if a is not aspect]), product)
        base = self.base_of(first)
        if base is not None and roll < 0.8:
            return self.from_base(language, asked, c.choice(base))
        topic = self.topic_of(first)
        if topic and roll < 0.6:
            others = [t for t in self.by_vertical[topic.vertical] if t is not topic]
            if others:
                return self.banked(language, asked, c.choice(others))
        return self.entry(language, asked)

    def same(self, first, other):
        """Would `other` answer the first entry's question as well?"""
        topic = self.topic_of(first)
        if topic and self.topic_of(other) is topic:
            return True
        aspect, product = self.aspect_of(first)
        return aspect is not None and self.aspect_of(other) == (aspect, product)

    def base_of(self, entry):
        """The base that the entry is from."""
        if not hasattr(self, "_bases"):
            self._bases, by_name = {}, {}
            for e in self.entries:
                by_name.setdefault(e.get("base"), []).append(e)
            for e in self.entries:
                self._bases[e["title"]] = by_name[e.get("base")]
        return self._bases.get(entry[1])

    def topic_of(self, entry):
        return self.index().get(entry[0]) or self.index().get(entry[1])

    def aspect_of(self, entry):
        for aspect in ASPECTS:
            for pattern in aspect[0] + aspect[1]:
                before, _, after = pattern.partition("{product}")
                if entry[1].startswith(before) and entry[1].endswith(after) and len(entry[1]) > len(before) + len(after):
                    return aspect, entry[1][len(before) : len(entry[1]) - len(after)]
        return None, None

    def index(self):
        if not hasattr(self, "_index"):
            self._index = {q: topic for topic in self.topics for q in topic.zh + topic.en}
        return self._index

    def scramble(self, text, language):
        """Some words replaced by random ones, so that nothing but copying gives the text."""
        c = self.chance
        if language == "zh":
            out = list(text)
            for _ in range(c.randint(1, 4)):
                at = c.randrange(len(out))
                if out[at] in HAN_SET:
                    out[at] = c.choice(HAN) if c.random() < 0.9 else chr(c.randint(0x4E00, 0x9FA5))
            return "".join(out)
        words = text.split(" ")
        for _ in range(c.randint(1, 3)):
            at = c.randrange(len(words))
            if words[at].isalpha():
                words[at] = c.word()
        return " ".join(words)

    def join(self, first, second, language):
        parts = [first, second]
        self.chance.shuffle(parts)
        return (self.chance.choice(MARKS_ZH) if language == "zh" else "") + ("" if language == "zh" else " ").join(parts)

    def vary(self, question, language):
        """The question as somebody types it."""
        c = self.chance
        if c.random() < self.prefaced:
            question = self.preface(language) + question
        elif c.random() < 0.2:
            question = c.choice(OPENINGS_ZH if language == "zh" else OPENINGS_EN).replace("{n}", c.digits(8)).replace("{d}", c.digits(4)) + question
        if c.random() < 0.15:
            question = question.rstrip("？?。.") + c.choice(CLOSINGS_ZH if language == "zh" else CLOSINGS_EN)
        if c.random() < 0.08 and len(question) > 6:
            at = c.randrange(1, len(question) - 1)
            question = question[:at] + c.choice(["", question[at] * 2, c.choice(HAN) if language == "zh" else c.choice(string.ascii_lowercase)]) + question[at + 1 :]
        if c.random() < 0.1:
            question = question.lower() if language == "en" else question.rstrip("？")
        return question

    def preface(self, language) -> str:
        """What people say before they ask: who they are, what they bought."""
        c = self.chance
        parts = c.sample(PREFACES_ZH if language == "zh" else PREFACES_EN, c.choice([1, 2, 2, 3]))
        text = "".join(parts)
        for name, size in (("d2", 2), ("d3", 3), ("d", 4)):
            while "{" + name + "}" in text:
                text = text.replace("{" + name + "}", c.digits(size), 1)
        return c.fill(text, {}, language)

    def small_talk(self) -> Sample:
        c = self.chance
        kind = c.choice([k for k in SMALLTALK if self.bank.small.get(k)])
        language = "zh" if kind in "htyw" else "en"
        passages = [] if c.random() < 0.75 else [self.entry(language, language)[1:] for _ in range(c.randint(1, 3))]
        return Sample(c.choice(self.bank.small[kind]), passages, None, "none", SMALLTALK[kind], kind="small")

    def nothing(self) -> Sample:
        """No passages at all: retrieval found that the base does not cover the question."""
        c, asked = self.chance, "zh" if self.chance.random() < 0.6 else "en"
        off = self.bank.off.get("q" if asked == "zh" else "e", []) + self.bank.off.get("p" if asked == "zh" else "r", [])
        question = c.choice(off) if off and c.random() < 0.5 else self.entry(asked, asked)[0]
        return Sample(self.vary(question, asked), [], None, "none", REFUSAL[asked], kind="nothing")

    def surround(self, made: Sample) -> Sample:
        """System and developer messages and earlier turns, sometimes left out to save training time."""
        c = self.chance
        if c.random() < 0.4:
            date = f"{c.randint(2024, 2032)}-{c.randint(1, 12):02}-{c.randint(1, 28):02}"
            made.system = system_text(date, c.choice(["low", "low", "low", "medium", "high"]))
            extra = None if c.random() < 0.7 else c.choice(["你是{}的客服。", "You are the assistant of {}.", "请用简短的话回答。{}", "Be brief. {}"]).replace("{}", c.choice([c.han(), c.word()]))
            made.developer = developer_text(extra)
        elif c.random() < 0.2:
            made.developer = developer_text()
        if c.random() < 0.12:
            earlier = self.entry("zh", "zh") if c.random() < 0.6 else self.entry("en", "en")
            made.history = [(earlier[0], earlier[2] if c.random() < 0.8 else REFUSAL[c.choice(["zh", "en"])])]
        return made


HAN_SET = set(HAN)


def alike(question: str, other: str) -> float:
    pairs = {question[i : i + 2] for i in range(len(question) - 1)}
    return sum(pair in other for pair in pairs) / (len(pairs) + 1)


def read_entries(path: Path) -> list[dict]:
    """Whole bases with training questions: JSON lines of {base, language, title, text, questions}."""
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return [row for row in rows if "questions" in row]


def english_text(bank: Bank) -> list[str]:
    """What the tokenizer's English merges are learned from; the fixed prompt counts many times over."""
    fixed = [system_text("2026-01-01"), developer_text(), INSTRUCTIONS, REFUSAL["en"], "<passages> none </passages> analysis final assistant user system developer"] * 40
    lines = [line for topic in bank.train for line in topic.en + topic.answers_en]
    return fixed + lines * 2 + sum(bank.off.values(), []) + sum(bank.small.values(), []) + [w for a in ASPECTS for w in a[1] + a[3]] * 3 + NOUNS_EN * 3 + list(SMALLTALK.values())
