"""Questions of customers, through OpenAI's SDK and the real engine.

The demo model is small, so facts are expected only where a question is close to an entry of gateway/samples.
"""

from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import MODEL, text_of

# What must appear in the answer.
COVERED = [
    ("签收后几天内可以无理由退货？", ["15天"]),
    ("买多少钱包邮？", ["129元"]),
    ("订单多久不付款会自动取消？", ["30分钟"]),
    ("过保以后维修怎么收费？", ["30元", "148元", "90天"]),
    ("How long are gift cards valid?", ["3 years"]),
]
UNCOVERED = ["你们老板今年多大年纪？", "Who won the football match last night?"]
PHONE, ID_CARD = "13812345678", "11010519491231002X"
PERSONAL = f"我的手机号是{PHONE}，身份证号{ID_CARD}，请问退款多久能到账？"


@pytest.mark.parametrize(("question", "facts"), COVERED)
def test_a_covered_question_is_answered_with_the_facts_of_its_passage(ask, question, facts):
    answer = ask(question)
    assert all(fact in answer.text for fact in facts), answer.text
    assert answer.frontdesk["covered"] is True
    assert answer.completion.choices[0].finish_reason == "stop"


@pytest.mark.parametrize("question", UNCOVERED)
def test_an_uncovered_question_gets_an_honest_answer_and_the_offer_of_a_person(ask, question):
    answer = ask(question)
    assert answer.frontdesk["covered"] is False
    assert answer.frontdesk["sources"] == []
    assert answer.framed == []
    assert answer.frontdesk["handoff"] is True, answer.text
    offers = ["人工", "person", "colleague", "human", "team"]
    assert any(word in answer.text for word in offers), answer.text


def test_the_reply_names_the_passages_it_stands_on(ask):
    answer = ask("买多少钱包邮？")
    sources = answer.frontdesk["sources"]
    assert 1 <= len(answer.framed) <= 3
    assert sources and {source["id"] for source in sources} <= set(answer.framed)
    assert all(source["title"] and source["source"] for source in sources)


def test_a_stream_says_what_the_whole_answer_says_and_ends_with_usage(ask, client):
    whole = ask("买多少钱包邮？")
    chunks = list(
        client.chat.completions.create(
            model=MODEL,
            messages=[{"role": "user", "content": "买多少钱包邮？"}],
            stream=True,
            stream_options={"include_usage": True},
            extra_headers={"cache-control": "no-store"},
        )
    )
    assert text_of(chunks) == whole.text
    *words, last = chunks
    assert last.choices == [] and last.usage == whole.completion.usage
    assert all(chunk.usage is None for chunk in words)
    assert last.usage.total_tokens == last.usage.prompt_tokens + last.usage.completion_tokens
    assert words[0].choices[0].delta.role == "assistant"
    assert words[-1].choices[0].finish_reason == "stop"
    assert words[-1].model_extra["frontdesk"]["sources"] == whole.frontdesk["sources"]
    assert len({chunk.id for chunk in chunks}) == 1


def test_the_same_question_comes_from_the_cache_the_second_time(client):
    def ask():
        raw = client.chat.completions.with_raw_response.create(
            model=MODEL, messages=[{"role": "user", "content": "对公转账后怎么确认到账？"}]
        )
        return raw.headers["x-cache"], raw.parse().choices[0].message.content

    first, again = ask(), ask()
    assert (first[0], again[0]) == ("miss", "hit-exact")
    assert first[1] == again[1]


def test_eight_streams_at_once_say_what_each_says_alone(ask, client):
    questions = [question for question, _ in COVERED] + UNCOVERED + ["可以分期付款吗？"]
    assert len(questions) == 8
    alone = [ask(question).text for question in questions]

    def stream(question):
        return text_of(
            client.chat.completions.create(
                model=MODEL,
                messages=[{"role": "user", "content": question}],
                stream=True,
                extra_headers={"cache-control": "no-store"},
            )
        )

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(stream, questions)) == alone


@pytest.mark.parametrize("stream", [False, True])
def test_personal_data_appears_nowhere(client, demo, stream):
    masked_before = demo.metric('frontdesk_redactions_total{kind="phone",direction="in"}')
    raw = client.chat.completions.with_raw_response.create(
        model=MODEL, messages=[{"role": "user", "content": PERSONAL}], stream=stream
    )
    assert raw.headers["x-redactions"] == "id_card=1,phone=1"
    said = text_of(raw.parse()) if stream else raw.parse().model_dump_json()
    masked_now = demo.metric('frontdesk_redactions_total{kind="phone",direction="in"}')
    assert masked_now == masked_before + 1

    kept = stored(demo, b"138****5678")
    for place, text in {"reply": said, "log": demo.log, "metrics": demo.get("/metrics")[1]}.items():
        assert PHONE not in text and ID_CARD not in text, place
    assert PHONE.encode() not in kept and ID_CARD.encode() not in kept


def stored(server, masked):
    """All bytes of the data directory, once the conversation is among them."""
    from serving import eventually

    def bytes_of_all():
        data = b"".join(path.read_bytes() for path in server.data.rglob("*") if path.is_file())
        return data if masked in data else None

    return eventually("the conversation is stored", bytes_of_all)
