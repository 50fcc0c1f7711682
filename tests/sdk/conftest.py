"""What the tests share: one demo server for all that only ask, and a client for it."""

import json

import openai
import pytest
import serving

MODEL = "frontdesk-demo"


@pytest.fixture(scope="session")
def demo():
    with serving.demo() as server:
        yield server


@pytest.fixture
def own_demo():
    """A server for a test that stops it."""
    with serving.demo() as server:
        yield server


@pytest.fixture(scope="session")
def client(demo):
    with connect(demo) as client:
        yield client


def connect(server, key=None):
    # Without retries: each refusal is to be seen.
    return openai.OpenAI(base_url=f"{server.url}/v1", api_key=key or server.key, max_retries=0, timeout=60)


@pytest.fixture(scope="session")
def ask(client):
    """Asks one question; returns text, sources, the server's own field, and headers."""
    return lambda question, **more: Answer(client, question, **more)


class Answer:
    """One answer of the demo, not streamed. Never from the cache: each test sees the whole path."""

    def __init__(self, client, question, **more):
        headers = {"cache-control": "no-store"} | more.pop("extra_headers", {})
        raw = client.chat.completions.with_raw_response.create(
            model=MODEL, messages=[{"role": "user", "content": question}], extra_headers=headers, **more
        )
        self.completion = raw.parse()
        self.headers = raw.headers
        self.text = self.completion.choices[0].message.content
        self.reasoning = getattr(self.completion.choices[0].message, "reasoning_content", None) or ""
        self.frontdesk = self.completion.model_extra["frontdesk"]

    @property
    def framed(self):
        """Ids of the passages that the model was given."""
        return [name for name in self.headers["x-frontdesk-sources"].split(",") if name]


def long_stream(client, tokens, question="收到货后多久可以退货？"):
    """A stream that goes on for exactly so many tokens: those that end a message are banned."""
    return client.chat.completions.create(
        model=MODEL,
        messages=[{"role": "user", "content": question}],
        stream=True,
        max_completion_tokens=tokens,
        logit_bias={str(token): -100 for token in ends()},
        extra_headers={"cache-control": "no-store"},
    )


def ends():
    """The ids of the tokens that end a message."""
    tokenizer = json.loads((serving.ROOT / "engine/demo/model/tokenizer.json").read_text())
    names = {"<|return|>", "<|end|>", "<|call|>"}
    return [token["id"] for token in tokenizer["added_tokens"] if token["content"] in names]


def text_of(stream):
    """All content of a stream."""
    return "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)
