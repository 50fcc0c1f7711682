"""What scripts rely on: one JSON object per line, offsets in characters, secrets never printed."""

import json

import pytest
from serving import ROOT, run

FAQ = '问题,答案\n几天可以退货？,签收后15天内可以退货。\n"How much is shipping, and how long does it take?","RMB 12, three days."\n'
KINDS = {"consultation", "order_query", "after_sales", "payment_invoice", "account", "complaint", "suggestion", "other"}


def lines(done):
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def taught(tmp_path_factory):
    """A data directory with a small knowledge base."""
    folder = tmp_path_factory.mktemp("taught")
    (folder / "faq.csv").write_text(FAQ)
    (folder / "care.md").write_text("# Care\n\n## Washing\n\nWash the grinder's lid by hand with warm water only.\n")
    done = run("frontdesk", "kb", "import", folder / "faq.csv", folder / "care.md", "--data-dir", folder / "data")
    assert done.returncode == 0, done.stderr
    return folder / "data"


def test_kb_search(taught):
    (found,) = lines(run("frontdesk", "kb", "search", "几天可以退货", "-k", 2, "--json", "--data-dir", taught))
    assert found["query"] == "几天可以退货" and found["covered"] is True
    assert 1 <= len(found["hits"]) <= 2
    hit = found["hits"][0]
    assert {"id", "question", "text", "score", "source"} <= hit.keys()
    assert hit["question"] == "几天可以退货？" and hit["text"] == "签收后15天内可以退货。"
    assert hit["source"] == "faq.csv" and isinstance(hit["score"], float)
    scores = [hit["score"] for hit in found["hits"]]
    assert scores == sorted(scores, reverse=True)


def test_kb_search_of_many_lines(taught):
    questions = "How do I wash the lid of the grinder?\n明天会下雨吗\n"
    found = lines(run("frontdesk", "kb", "search", "--stdin", "--json", "--data-dir", taught, stdin=questions))
    assert [result["query"] for result in found] == questions.splitlines()
    assert found[0]["hits"][0]["question"] is None and found[0]["hits"][0]["source"] == "care.md"
    assert found[1]["covered"] is False


def test_a_file_that_is_not_there_is_named(tmp_path):
    done = run("frontdesk", "kb", "import", tmp_path / "no.csv", "--data-dir", tmp_path)
    assert done.returncode != 0 and "no.csv" in done.stderr


def test_mask_counts_in_characters():
    text = "😀客服你好，手机13812345678，身份证11010519491231002X。"
    masked, plain = lines(run("frontdesk", "mask", "--json", "--stdin", stdin=f"{text}\n没有\n"))
    found = {span["kind"]: text[span["start"] : span["end"]] for span in masked["spans"]}
    assert found == {"phone": "13812345678", "id_card": "11010519491231002X"}
    assert masked["masked"] == "😀客服你好，手机138****5678，身份证1101**********002X。"
    assert plain == {"masked": "没有", "spans": []}


def test_what_no_policy_masks_is_reported_all_the_same():
    (found,) = lines(run("frontdesk", "mask", "--json", "--mask-kinds", "none", "电话13812345678"))
    assert found["masked"] == "电话13812345678"
    assert [span["kind"] for span in found["spans"]] == ["phone"]


def test_intent():
    asked = "我的快递到哪里了\n发票抬头写错了能换开吗\n"
    found = lines(run("frontdesk", "intent", "--stdin", "--json", stdin=asked))
    assert [line["intent"] for line in found] == ["order_query", "payment_invoice"]
    for line in found:
        assert line.keys() == {"intent", "probability", "abstained"}
        assert line["intent"] in KINDS and 0 <= line["probability"] <= 1 and isinstance(line["abstained"], bool)


def test_a_token_is_made_of_the_secret_that_is_configured():
    done = run("frontdesk", "token", "--sub", "web", "--ttl", "60", env={"FRONTDESK_JWT_SECRET": "s" * 32})
    assert done.returncode == 0 and done.stdout.count(".") == 2
    assert run("frontdesk", "token", "--sub", "web").returncode != 0


def test_config_tells_value_and_origin_and_no_secret(tmp_path):
    settings = tmp_path / "frontdesk.toml"
    settings.write_text("queue = 7\nport = 1\n")
    env = {"FRONTDESK_API_KEY": "a-very-secret-key", "FRONTDESK_PORT": "2"}
    done = run("frontdesk", "config", "--json", "--config", settings, "--passages", "5", env=env)
    found = {line["name"]: (line["value"], line["origin"]) for line in lines(done)}
    assert found["queue"] == (7, f"file {settings}")
    assert found["port"] == (2, "environment variable FRONTDESK_PORT")
    assert found["passages"] == (5, "flag --passages")
    assert found["block_size"][1] == "default"
    assert found["api_key"] == ("***", "environment variable FRONTDESK_API_KEY")
    assert "a-very-secret-key" not in done.stdout + done.stderr


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    tokens = tmp_path_factory.mktemp("score") / "tokens.json"
    # Any text will do; longer than the sliding window of 128 tokens.
    tokens.write_text(json.dumps([(7 * place * place + 11) % 5000 for place in range(160)]))
    return tokens, score(tokens, ranks=1)


def score(tokens, ranks):
    model = ROOT / "engine" / "demo" / "model"
    layout = ["--model-path", model, "--tokens", tokens, "--top", 20, "--json", "--tensor-parallel-size", ranks]
    return lines(run("frontdesk-engine", "score", *layout))


@pytest.mark.parametrize("ranks", [2, 4])
def test_ranks_do_not_change_what_the_demo_model_thinks(alone, ranks):
    tokens, one = alone
    assert [line["position"] for line in one] == list(range(160)) and one[-1]["next"] is None
    many = score(tokens, ranks)
    assert [line["top"][0]["id"] for line in many] == [line["top"][0]["id"] for line in one]
    for left, right in zip(one, many, strict=True):
        assert left["next"] == right["next"] and len(right["top"]) == 20
        assert left["logprob"] == pytest.approx(right["logprob"], abs=1e-3)
