"""Questions to a language model that listens, over the interface that most servers share, and its answers."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import time
import urllib.error
import urllib.request
import wave
from collections.abc import Sequence
from dataclasses import dataclass
from http.client import HTTPException, IncompleteRead
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from ....synth.errors import InputError

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_MOST_BYTES = 1 << 20  # of an answer
_MOST_LETTERS = {"label": 100, "description": 2000}
_LATER = (408, 425, 429, 500, 502, 503, 504)  # worth another try


@dataclass(frozen=True)
class Answer:
    """What a model said of some clips.

    Parameters
    ----------
    label : str
        Empty where it said nothing that can be used.
    confidence : float
        0 to 1, as it says; NaN without a label.
    description : str
    problem : str
        Why there is no label.
    """

    label: str = ""
    confidence: float = np.nan
    description: str = ""
    problem: str = ""


class Unanswered(Exception):
    """No answer came; the message says why, and holds nothing that the server sent."""


def read_answer(text: str) -> Answer:
    """Read the JSON object that was wanted: ``{"label", "confidence", "description"}``.

    Examples
    --------
    >>> read_answer('{"label": "organ", "confidence": 0.9, "description": "a chord"}').label
    'organ'
    >>> read_answer("I hear an organ").problem
    'not JSON'
    """
    inner = text.strip()
    if inner.startswith("```") and inner.endswith("```"):  # many models fence what they quote
        inner = inner.strip("`").removeprefix("json")
    try:
        found = json.loads(inner)
    except (ValueError, RecursionError):
        return Answer(problem="not JSON")
    if not isinstance(found, dict):
        return Answer(problem="not a JSON object")
    label, confidence, description = (found.get(key) for key in ("label", "confidence", "description"))
    if not isinstance(label, str) or not isinstance(description, str | None):
        return Answer(problem="label or description is no text")
    label, description = " ".join(label.split()), " ".join((description or "").split())
    if not label or not label.isprintable():
        return Answer(problem="empty label")
    if len(label) > _MOST_LETTERS["label"] or len(description) > _MOST_LETTERS["description"]:
        return Answer(problem="label or description too long")
    if isinstance(confidence, bool) or not isinstance(confidence, int | float):
        return Answer(problem="confidence is no number")
    if not 0 <= confidence <= 1:  # NaN is neither
        return Answer(problem="confidence is not 0 to 1")
    return Answer(label, float(confidence), description)


def wav_bytes(waveform: np.ndarray, sample_rate: int) -> bytes:
    """Return a waveform [T] as a 16-bit WAV file; one that exceeds full scale is turned down to it.

    Examples
    --------
    >>> wav_bytes(np.zeros(4, dtype=np.float32), 8000)[:4]
    b'RIFF'
    """
    samples = np.round(waveform / max(1.0, float(np.abs(waveform).max(initial=0))) * 32_767).astype("<i2")
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        file.writeframes(samples.tobytes())
    return buffer.getvalue()


class AnswerFile:
    """Answers in a file of JSON lines, one a question, each written as soon as it is there.

    Parameters
    ----------
    path : Path
        Made if it is not there. A last line that was cut off is asked again.

    Raises
    ------
    InputError
        If the file cannot be read or made, or a line of it is no answer.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.answers: dict[str, Answer] = {}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            content = path.read_bytes() if path.exists() else b""
            *lines, rest = content.split(b"\n")
            if rest:
                os.truncate(path, len(content) - len(rest))
        except OSError as error:
            raise InputError(f"answers {path}: {error.strerror}") from None
        for number, line in enumerate(lines, start=1):
            try:
                row = json.loads(line)
                self.answers[row.pop("question")] = self._checked(row)
            except (ValueError, TypeError, KeyError, AttributeError):
                raise InputError(
                    f"answers {path}: line {number} is no answer; remove it or the file"
                ) from None

    @staticmethod
    def _checked(row: dict[str, Any]) -> Answer:
        return Answer(problem=str(row["problem"])) if row["problem"] else read_answer(json.dumps(row))

    def add(self, question: str, answer: Answer) -> None:
        """Write an answer down.

        Raises
        ------
        InputError
            If it cannot be written.
        """
        self.answers[question] = answer
        confidence = None if answer.problem else answer.confidence  # JSON has no NaN
        row = {"question": question, "label": answer.label, "confidence": confidence}
        row |= {"description": answer.description, "problem": answer.problem}
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
        except OSError as error:
            raise InputError(f"answers {self.path}: {error.strerror}") from None


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Follows none: the key would go along to wherever it leads."""

    def redirect_request(self, *arguments: Any, **options: Any) -> None:
        return None


@dataclass(frozen=True)
class Chat:
    """A server that answers ``POST {url}/chat/completions``.

    Parameters
    ----------
    url : str
        Without ``/chat/completions``: "http://127.0.0.1:8000/v1", say.
    model : str
        As the server calls it.
    key_variable : str
        Environment variable that the key is read from whenever a question is asked; it is kept nowhere. A
        server on this machine may need none.
    timeout : float > 0
        Seconds that an answer may take.
    tries : int > 0
        For each question.
    pause : float >= 0
        Seconds before a second try; twice as many before each further one.

    Raises
    ------
    InputError
        If the address is none, holds a password or query, or would send a key unencrypted to another machine;
        if a number is out of range.
    """

    url: str
    model: str
    key_variable: str = "TONOTOPY_LABEL_KEY"
    timeout: float = 120.0
    tries: int = 3
    pause: float = 2.0

    def __post_init__(self) -> None:
        try:
            parts = urlsplit(self.url)
            host, _ = parts.hostname, parts.port
        except ValueError:
            raise InputError("endpoint: the address is no URL") from None
        if parts.username is not None or parts.query or parts.fragment:
            raise InputError(f"endpoint {host}: an address without password or query is wanted")
        if not host or parts.scheme not in ("https", "http") or not self.url.isprintable() or " " in self.url:
            raise InputError(f"endpoint {self.url[:100]!r}: https://..., or http:// on this machine, wanted")
        if parts.scheme == "http" and host not in _LOOPBACK:
            raise InputError(f"endpoint {self.url}: https wanted: sounds and key would go there unencrypted")
        if not (self.timeout > 0 and self.tries >= 1 and self.pause >= 0):
            numbers = f"timeout {self.timeout}, tries {self.tries}, pause {self.pause}"
            raise InputError(f"endpoint: {numbers}; above 0, at least 1 and 0 or more allowed")

    @property
    def is_here(self) -> bool:
        """Whether it is on this machine."""
        return urlsplit(self.url).hostname in _LOOPBACK

    def body(self, prompt: str, sounds: Sequence[bytes]) -> bytes:
        """Return a question about some WAV files as it is sent."""
        content: list[dict[str, Any]] = [{"type": "text", "text": prompt}]
        for sound in sounds:
            data = base64.b64encode(sound).decode()
            content.append({"type": "input_audio", "input_audio": {"data": data, "format": "wav"}})
        messages = [{"role": "user", "content": content}]
        return json.dumps({"model": self.model, "temperature": 0, "messages": messages}).encode()

    def identity(self, body: bytes) -> str:
        """Return what a question is known by: server, model, prompt and sounds."""
        return hashlib.sha256(self.url.rstrip("/").encode() + b"\n" + body).hexdigest()

    def ask(self, body: bytes) -> Answer:
        """Ask, several times if it must be.

        Raises
        ------
        Unanswered
            If no try was answered.
        InputError
            If the key is missing or unusable.
        """
        key = self._key()
        for attempt in range(self.tries):
            try:
                content = self._post(body, key)
                break
            except urllib.error.HTTPError as error:
                error.close()
                if error.code not in _LATER:
                    raise Unanswered(f"HTTP {error.code}") from None
                problem = f"HTTP {error.code}"
            except (OSError, HTTPException) as error:
                problem = _named(error)
            if attempt + 1 == self.tries:
                raise Unanswered(f"{problem}, {self.tries} tries")
            time.sleep(self.pause * 2**attempt)
        return self._read(content, key)

    def _key(self) -> str:
        key = os.environ.get(self.key_variable, "")
        if not key and not self.is_here:
            raise InputError(f"endpoint {self.url}: set {self.key_variable} to its key")
        if not (key.isascii() and key.isprintable() and " " not in key):
            raise InputError(
                f"{self.key_variable}: not a key: letters, digits and signs without spaces allowed"
            )
        return key

    def _post(self, body: bytes, key: str) -> bytes:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        headers |= {"Authorization": f"Bearer {key}"} if key else {}
        request = urllib.request.Request(self.url.rstrip("/") + "/chat/completions", body, headers)
        handlers: list[urllib.request.BaseHandler] = [_NoRedirect()]
        if self.is_here:
            handlers.append(urllib.request.ProxyHandler({}))
        ends = time.monotonic() + self.timeout
        parts, size = [], 0
        with urllib.request.build_opener(*handlers).open(request, timeout=self.timeout) as response:
            announced = response.length  # None where it comes in chunks
            while size <= _MOST_BYTES and (part := response.read1(1 << 16)):
                parts.append(part)
                size += len(part)
                if time.monotonic() > ends:  # each part may come in time, and all of them never
                    raise TimeoutError
        if announced is not None and size < min(announced, _MOST_BYTES):
            raise IncompleteRead(b"")  # `read1` takes a lost connection for the end
        return b"".join(parts)

    @staticmethod
    def _read(content: bytes, key: str) -> Answer:
        if len(content) > _MOST_BYTES:
            return Answer(problem=f"more than {_MOST_BYTES >> 20} MiB")
        try:
            text = json.loads(content)["choices"][0]["message"]["content"]
        except (ValueError, KeyError, IndexError, TypeError, RecursionError):
            return Answer(problem="not what such a server answers")
        if not isinstance(text, str):
            return Answer(problem="not text")
        answer = read_answer(text)
        if key and (key in answer.label or key in answer.description):
            return Answer(problem="repeats the key")
        return answer


def _named(error: Exception) -> str:
    """Say what went wrong without what the server sent."""
    reason = getattr(error, "reason", error)
    if isinstance(reason, TimeoutError):
        return "no answer in time"
    if isinstance(reason, ConnectionRefusedError):
        return "connection refused"
    if isinstance(reason, OSError) and reason.strerror and isinstance(reason.errno, int):
        return (
            f"{type(reason).__name__}: {os.strerror(reason.errno)}" if reason.errno > 0 else reason.strerror
        )
    return type(reason).__name__ if isinstance(reason, Exception) else type(error).__name__
