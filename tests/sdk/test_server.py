"""Keys, errors, probes, and what becomes of a stream whose reader leaves."""

import openai
import pytest
from conftest import MODEL, connect, long_stream
from serving import eventually

HELLO = [{"role": "user", "content": "你好"}]


def test_a_wrong_key_is_an_authentication_error(demo):
    with connect(demo, key="not-the-key") as client, pytest.raises(openai.AuthenticationError) as caught:
        client.chat.completions.create(model=MODEL, messages=HELLO)
    error = caught.value
    assert error.status_code == 401 and error.code == "invalid_api_key" and error.type == "invalid_request_error"
    assert error.request_id and "not-the-key" not in str(error) + demo.log


def test_another_model_is_not_found(client):
    with pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(model="gpt-4o", messages=HELLO)
    assert caught.value.code == "model_not_found" and caught.value.param == "model"


def test_a_field_of_a_wrong_type_is_named(client):
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model=MODEL, messages=HELLO, temperature="hot")
    assert caught.value.param == "temperature"


def test_the_model_is_listed(client):
    assert [model.id for model in client.models.list()] == [MODEL]
    assert client.models.retrieve(MODEL).id == MODEL


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics"])
def test_probes_and_metrics_need_no_key(demo, path):
    status, text = demo.get(path)
    assert status == 200 and text
    assert demo.key not in text


def test_everything_else_needs_one(demo):
    assert demo.status("/v1/models") == 401


def test_a_reader_who_leaves_frees_the_blocks(demo):
    cancelled = demo.metric('frontdesk_generations_total{outcome="cancelled"}')
    with connect(demo) as client:
        streams = [long_stream(client, tokens=4000) for _ in range(4)]
        for stream in streams:
            next(chunk for chunk in stream if chunk.choices and chunk.choices[0].delta.content)
        assert demo.metric("frontdesk_engine_blocks_used") > 0
        assert demo.metric("frontdesk_requests_in_flight") == 4
        for stream in streams:
            stream.close()
    names = ["frontdesk_engine_blocks_used", "frontdesk_engine_in_flight", "frontdesk_requests_in_flight"]
    eventually("everything is free again", lambda: not any(map(demo.metric, names)))
    assert demo.metric('frontdesk_generations_total{outcome="cancelled"}') == cancelled + 4
    total = demo.metric("frontdesk_engine_blocks_total")
    free, cached = demo.metric("frontdesk_engine_blocks_free"), demo.metric("frontdesk_engine_blocks_cached")
    assert free + cached == total
