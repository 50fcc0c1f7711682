"""What the program prints at start works when pasted, and what happens when it is told to stop."""

import re
import signal
import subprocess
import sys

import openai
import pytest
import serving
from conftest import MODEL, connect, long_stream
from serving import eventually

HELLO = [{"role": "user", "content": "你好"}]


def test_the_printed_curl_line_works_when_pasted(demo):
    line = re.search(r"^curl .*?(?<!\\)$", demo.greeting, re.M | re.S)[0]
    done = subprocess.run(["bash", "-c", line], env=serving.environment(), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.rstrip().endswith("data: [DONE]")
    assert '"content"' in done.stdout


def test_the_printed_python_works_when_pasted(demo):
    snippet = re.search(r"^from openai import .*?^print\(\)$", demo.greeting, re.M | re.S)[0]
    command = [sys.executable, "-c", snippet]
    done = subprocess.run(command, env=serving.environment(), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_without_a_command_it_is_the_demo_and_says_what_it_does(tmp_path):
    server = serving.Server(tmp_path)
    try:
        server.wait_until_ready()
        assert server.url.startswith("http://127.0.0.1:")
        assert "Importing the sample knowledge" in server.log and "Loading the model" in server.log
        server.tell(signal.SIGINT)
        assert server.wait() == 0
    finally:
        server.close()


def test_a_second_start_finds_the_same_key_and_knowledge(tmp_path):
    seen = []
    for _ in range(2):
        server = serving.Server(tmp_path, "demo")
        try:
            server.wait_until_ready()
            seen.append((server.key, server.metric("frontdesk_knowledge_passages")))
        finally:
            server.close()
    assert seen[0] == seen[1] and seen[0][1] > 0


def test_sigterm_lets_a_stream_finish_and_refuses_new_requests(own_demo):
    with connect(own_demo) as client:
        stream = iter(long_stream(client, tokens=600))
        next(stream)
        own_demo.tell(signal.SIGTERM)
        eventually("it drains", lambda: own_demo.status("/readyz") == 503)
        with connect(own_demo) as late, pytest.raises(openai.InternalServerError) as caught:
            late.chat.completions.create(model=MODEL, messages=HELLO)
        assert caught.value.status_code == 503
        chunks = list(stream)
    assert chunks[-1].choices[0].finish_reason == "length"
    assert own_demo.wait() == 0


@pytest.mark.parametrize(
    ("arguments", "variables", "named"),
    [
        (["serve", "--port", "0", "--kv-mebibytes", "0"], {}, ["kv_mebibytes", "flag --kv-mebibytes"]),
        (["serve", "--port", "0", "--model-path", "nowhere"], {}, ["model_path", "config.json"]),
        (["serve", "--port", "0", "--tensor-parallel-size", "3"], {}, ["tensor_parallel_size", "1, 2, 4"]),
        (["serve", "--port", "0", "--host", "0.0.0.0"], {}, ["host", "loopback"]),
        (["demo", "--port", "0", "--host", "0.0.0.0"], {"FRONTDESK_API_KEY": "long-enough"}, ["host", "demo"]),
        (["serve", "--port", "0"], {"FRONTDESK_QUEUE": "many"}, ["queue", "variable FRONTDESK_QUEUE"]),
    ],
)
def test_a_bad_setting_is_named_before_a_port_is_opened(tmp_path, arguments, variables, named):
    done = serving.run("frontdesk", *arguments, "--data-dir", tmp_path, env=variables)
    assert done.returncode != 0
    assert "listens" not in done.stdout
    assert all(word in done.stderr for word in named), done.stderr
    assert "panicked" not in done.stderr


def test_a_bad_file_of_settings_is_named(tmp_path):
    settings = tmp_path / "frontdesk.toml"
    settings.write_text("prot = 6006\n")
    done = serving.run("frontdesk", "serve", "--config", settings, "--data-dir", tmp_path)
    assert done.returncode != 0 and "prot" in done.stderr and str(settings) in done.stderr
