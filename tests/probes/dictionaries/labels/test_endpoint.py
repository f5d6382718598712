import base64
import io
import json
import threading
import time
import wave
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from tonotopy.probes.dictionaries.labels.endpoint import Endpoint, problems
from tonotopy.probes.dictionaries.labels.questions import (
    AnswerFile,
    Chat,
    Unanswered,
    read_answer,
    wav_bytes,
)
from tonotopy.synth.errors import InputError

from .test_clap import folder as folder
from .test_classifier import sounding

KEY = "sk-never-to-be-written"
GOOD = {"label": "noise", "confidence": 0.75, "description": "It hisses."}


class Server(ThreadingHTTPServer):
    """A language model whose answers are set: text of a message, or a function of the request's handler."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests, self.keys = [], []
        self.answer = lambda number: json.dumps(GOOD)
        self.misbehaves = lambda handler, number: False
        self.released = threading.Event()

    def handle_error(self, request, client_address):
        pass  # of clients that did not wait

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        server = self.server
        assert isinstance(server, Server)
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        server.requests.append((self.path, body))
        server.keys.append(self.headers["Authorization"])
        number = len(server.requests)
        if not server.misbehaves(self, number):
            text = server.answer(number)
            self.send(json.dumps({"choices": [{"message": {"role": "assistant", "content": text}}]}).encode())

    do_GET = do_POST

    def send(self, content, status=200, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("TONOTOPY_LABEL_KEY", KEY)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # not to be used for this machine
    one = Server()
    thread = threading.Thread(target=one.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield one
    one.released.set()
    one.shutdown()
    one.server_close()


@pytest.fixture
def endpoint(server, tmp_path):
    chat = Chat(server.url, "listens", timeout=0.5, tries=2, pause=0.01)
    return Endpoint(chat, tmp_path / "answers.jsonl", random_questions=1)


def test_features_get_what_the_model_says(endpoint, server):
    server.answer = lambda number: json.dumps(GOOD | {"label": ["Noise", "tones", "noise"][number - 1]})
    labels = endpoint.label(sounding())
    assert [(label.feature, label.text) for label in labels] == [(0, "Noise"), (1, "tones")]
    assert {label.score for label in labels} == {0.75}
    assert labels[0].baseline == 0.75
    assert labels[0].measure == "confidence"
    assert not labels[0].kept  # nothing was held out
    assert "It hisses.; random clips had the same label in" in labels[0].note
    assert problems(labels) == {}
    assert server.keys == [f"Bearer {KEY}"] * 3


def test_a_question_holds_the_top_clips(endpoint, server):
    evidence = sounding()
    replace(endpoint, features=[0], random_questions=0, clips=3).label(evidence)
    ((path, body),) = server.requests
    assert path == "/v1/chat/completions"
    assert (body["model"], body["temperature"]) == ("listens", 0)
    text, *sounds = body["messages"][0]["content"]
    assert "confidence" in text["text"]
    assert len(sounds) == 3
    for part, clip in zip(sounds, evidence.top(0, evidence.found, 3), strict=True):
        assert (part["type"], part["input_audio"]["format"]) == ("input_audio", "wav")
        with wave.open(io.BytesIO(base64.b64decode(part["input_audio"]["data"]))) as file:
            assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (22_050, 1, 2)
            samples = np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32_767
        np.testing.assert_allclose(samples, evidence.sounds[clip].clip(-1, 1), atol=0.06)


def test_sounds_beyond_full_scale_are_turned_down():
    with wave.open(io.BytesIO(wav_bytes(np.array([0.0, 4.0, -2.0], np.float32), 8000))) as file:
        assert np.frombuffer(file.readframes(3), "<i2").tolist() == [0, 32_767, -16_384]


def test_no_question_twice(endpoint, server):
    first = endpoint.label(sounding())
    assert len(server.requests) == 3
    assert endpoint.label(sounding()) == first
    assert len(server.requests) == 3
    replace(endpoint, prompt="What is this?").label(sounding())
    assert len(server.requests) == 6


NONSENSE = {
    "It is an organ": "not JSON",
    "": "not JSON",
    "[" * 100_000: "not JSON",
    "null": "not a JSON object",
    "[1, 2]": "not a JSON object",
    "{}": "label or description is no text",
    '{"label": 5, "confidence": 0.5}': "label or description is no text",
    '{"label": "x", "confidence": 0.5, "description": []}': "label or description is no text",
    '{"label": "  ", "confidence": 0.5}': "empty label",
    '{"label": "a\\u0000b", "confidence": 0.5}': "empty label",
    '{"label": "x"}': "confidence is no number",
    '{"label": "x", "confidence": "high"}': "confidence is no number",
    '{"label": "x", "confidence": true}': "confidence is no number",
    '{"label": "x", "confidence": 1.01}': "confidence is not 0 to 1",
    '{"label": "x", "confidence": NaN}': "confidence is not 0 to 1",
    '{"label": "x", "confidence": -1e999}': "confidence is not 0 to 1",
    json.dumps(GOOD | {"label": "x" * 101}): "label or description too long",
}


def test_nonsense_is_no_label():
    for text, problem in NONSENSE.items():
        assert read_answer(text).problem == problem, text[:80]
        assert read_answer(text).label == ""
    assert read_answer(f"```json\n{json.dumps(GOOD)}\n```").label == "noise"
    assert read_answer('{"label": " a \\n b ", "confidence": 1}').label == "a b"


@pytest.mark.parametrize(
    ("send", "problem"),
    [
        (lambda h: h.send(b"<html><body>Welcome</body></html>"), "not what such a server answers"),
        (lambda h: h.send(b'{"choices": []}'), "not what such a server answers"),
        (lambda h: h.send(b'{"choices": [{"message": {"content": [{"text": "x"}]}}]}'), "not text"),
        (lambda h: h.send(b"\xff\xfe" * 10), "not what such a server answers"),
        (lambda h: h.send(b" " * 10_000_000), "more than 1 MiB"),
        (lambda h: h.send(json.dumps({"choices": [{"message": {"content": json.dumps(
            GOOD | {"label": f"{KEY}!"})}}]}).encode()), "repeats the key"),
    ],
)  # fmt: skip
def test_servers_that_answer_nonsense(endpoint, server, send, problem):
    server.misbehaves = lambda handler, number: number == 1 and (send(handler) or True)
    labels = endpoint.label(sounding())
    assert [label.text for label in labels] == ["", "noise"]
    assert labels[0].note == f"no label: {problem}"
    assert problems(labels) == {problem: 1}
    assert problems(endpoint.label(sounding())) == {problem: 1}  # from the file
    assert len(server.requests) == 3


def close(handler):
    handler.close_connection = True
    handler.connection.close()


def half(handler):
    handler.send_response(200)
    handler.send_header("Content-Length", "5000")
    handler.end_headers()
    handler.wfile.write(b"{")
    handler.close_connection = True


def drip(handler):
    handler.send_response(200)
    handler.end_headers()
    while not handler.server.released.wait(0.05):
        handler.wfile.write(b" ")
        handler.wfile.flush()


TROUBLE = {
    "HTTP 500, 2 tries": lambda h: h.send(b"secret trace", 500),
    "HTTP 429, 2 tries": lambda h: h.send(b"", 429),
    "HTTP 401": lambda h: h.send(f"wrong key {KEY}".encode(), 401),
    "HTTP 302": lambda h: h.send(b"", 302, Location="http://127.0.0.1:9/elsewhere"),
    "no answer in time, 2 tries": lambda h: h.server.released.wait(5),
    "tries": close,
    "IncompleteRead, 2 tries": half,
    "in time, 2 tries": drip,
}


@pytest.mark.parametrize("said", TROUBLE)
def test_servers_that_do_not_answer(endpoint, server, said):
    server.misbehaves = lambda handler, number: number > 1 and (TROUBLE[said](handler) or True)
    started = time.monotonic()
    with pytest.raises(InputError, match=said) as error:
        endpoint.label(sounding())
    message = str(error.value)
    assert "1 of 3 questions are answered and kept in" in message
    assert "\n" not in message
    assert KEY not in message
    assert "secret" not in message
    assert time.monotonic() - started < 3
    assert len(server.requests) == (2 if said in ("HTTP 401", "HTTP 302") else 3)
    server.misbehaves = lambda handler, number: False
    asked = len(server.requests)
    assert [label.text for label in endpoint.label(sounding())] == ["noise", "noise"]
    assert len(server.requests) == asked + 2  # the first was kept


def test_a_server_that_fails_once_is_asked_again(endpoint, server):
    server.misbehaves = lambda handler, number: number == 1 and (handler.send(b"", 503) or True)
    assert len(endpoint.label(sounding())) == 2
    assert len(server.requests) == 4


def test_a_server_that_is_not_there(endpoint, server):
    server.shutdown()
    server.server_close()
    with pytest.raises(InputError, match=r"connection refused, 2 tries\); 0 of 3 questions"):
        endpoint.label(sounding())


def test_the_key_is_written_nowhere(endpoint, server, tmp_path):
    labels = endpoint.label(sounding())
    for text in (repr(endpoint), str(labels), (tmp_path / "answers.jsonl").read_text()):
        assert KEY not in text


@pytest.mark.parametrize("key", [f"{KEY}\n", f"{KEY} x", f"{KEY}é"])
def test_a_key_that_cannot_be_sent(endpoint, server, monkeypatch, key):
    monkeypatch.setenv("TONOTOPY_LABEL_KEY", key)
    with pytest.raises(InputError, match="TONOTOPY_LABEL_KEY: not a key") as error:
        endpoint.label(sounding())
    assert KEY not in str(error.value)
    assert not server.requests


def test_without_a_key_only_this_machine_is_asked(endpoint, server, monkeypatch):
    monkeypatch.delenv("TONOTOPY_LABEL_KEY")
    endpoint.label(sounding())
    assert server.keys == [None] * 3
    far = Chat("https://models.invalid/v1", "listens", tries=1, timeout=0.1)
    with pytest.raises(InputError, match="set TONOTOPY_LABEL_KEY to its key"):
        far.ask(b"")


def test_a_far_server_that_has_no_address(monkeypatch):
    monkeypatch.setenv("TONOTOPY_LABEL_KEY", KEY)
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    with pytest.raises(Unanswered, match="1 tries") as error:
        Chat("https://models.invalid/v1", "listens", tries=1, timeout=0.5).ask(b"")
    assert KEY not in str(error.value)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"url": "ftp://127.0.0.1"}, "https://"),
        ({"url": "127.0.0.1:8000"}, "https://"),
        ({"url": ""}, "https://"),
        ({"url": "http://127.0.0.1:x/v1"}, "no URL"),
        ({"url": "http://example.org/v1"}, "https wanted"),
        ({"url": f"https://user:{KEY}@example.org"}, "without password or query"),
        ({"url": f"https://example.org/v1?key={KEY}"}, "without password or query"),
        ({"timeout": 0}, "timeout 0"),
        ({"tries": 0}, "tries 0"),
        ({"pause": -1}, "pause -1"),
    ],
)
def test_servers_that_are_none(options, said):
    with pytest.raises(InputError, match=said) as error:
        Chat(**({"url": "https://example.org/v1", "model": "m"} | options))
    assert KEY not in str(error.value)


def test_a_line_that_was_cut_off_is_asked_again(endpoint, server, tmp_path):
    endpoint.label(sounding())
    path = tmp_path / "answers.jsonl"
    whole = path.read_text()
    path.write_text(whole[:-20])
    endpoint.label(sounding())
    assert len(server.requests) == 4
    assert path.read_text() == whole


@pytest.mark.parametrize("line", ["[]", "nonsense", '{"question": "a"}', '{"question": [], "problem": "x"}'])
def test_a_file_that_holds_no_answers(tmp_path, line):
    path = tmp_path / "answers.jsonl"
    path.write_text(line + "\n")
    with pytest.raises(InputError, match="line 1 is no answer"):
        AnswerFile(path)
    with pytest.raises(InputError, match="answers"):
        AnswerFile(path / "below")


def test_features_that_are_not_there(endpoint, server):
    with pytest.raises(InputError, match="feature 2: 0 to 1 allowed"):
        replace(endpoint, features=[0, 2]).label(sounding())
    with pytest.raises(InputError, match="clips 0"):
        replace(endpoint, clips=0)
    assert not server.requests


def test_a_judge_scores_labels_on_other_clips(endpoint, server, folder):
    from tonotopy.probes.dictionaries.labels.clap import Clap

    answers = ["noise", "", "tone"]
    server.answer = lambda number: json.dumps(GOOD | {"label": answers[number - 1]})
    clap, evidence = Clap(folder), sounding(n=60)
    labels = replace(endpoint, judge=clap).label(evidence)
    said = (clap.embed_sounds(evidence) @ clap.embed_texts(("noise",)).T)[:, 0]
    top = evidence.top(0, evidence.held_out, 10)
    assert labels[0].score == pytest.approx(said[top].mean(), abs=1e-5)
    assert (labels[0].measure, labels[0].text, labels[0].factor) == ("cosine", "noise", "text")
    assert labels[0].baseline == pytest.approx(said[evidence.held_out].mean(), abs=0.02)
    assert 0 < labels[0].held_out_p <= 1
    assert labels[0].note.startswith("confidence 0.75; It hisses.")
    assert problems(labels) == {"empty label": 1}
