"""What a long loop has made so far, kept on disk block by block, so that an interrupted one goes on."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np

SECONDS_KEPT = 20.0  # no more work than this is lost
Block = Mapping[str, np.ndarray]


class Blocks:
    """Blocks of named arrays, in the order in which a loop makes them.

    Quick loops leave nothing on disk: what was made is written every 20 s, and at the end if some was before.

    Parameters
    ----------
    folder : Path or None
        Where they are kept; nowhere if None.
    *key : object
        What they depend on, in words; other blocks lie elsewhere in the folder.
    seconds : float, optional
        No more work than this is lost.
    say : callable
        Is told, in a line, how many blocks were there.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     blocks = Blocks(Path(folder), "squares", seconds=0.0)
    ...     blocks.add({"of": np.arange(3), "square": np.arange(3) ** 2})
    ...     [block["square"].tolist() for block in Blocks(Path(folder), "squares")]
    [[0, 1, 4]]
    """

    def __init__(
        self,
        folder: Path | None,
        *key: object,
        seconds: float | None = None,
        say: Callable[[str], object] = lambda line: None,
    ) -> None:
        digest = hashlib.sha256("\n".join(map(str, key)).encode()).hexdigest()[:16]
        self._folder = None if folder is None else folder / digest
        self._seconds = SECONDS_KEPT if seconds is None else seconds
        self._written, self._say = time.monotonic(), say
        self._waiting: list[Block] = []

    def __iter__(self) -> Iterator[dict[str, np.ndarray]]:
        """Yield the blocks that an interrupted loop left, one after another."""
        there = 0
        for file in self._files():
            with np.load(file) as held:
                names = [name.split(" ", 1) for name in held.files]
                for number in range(1 + max(int(number) for number, _ in names)):
                    yield {name: held[f"{n} {name}"] for n, name in names if int(n) == number}
                    there += 1
        if there:
            self._say(f"resuming inside a probe: {there} blocks of sounds are kept")

    def each(self, count: int, make: Callable[[int], Block]) -> Iterator[Block]:
        """Yield so many blocks: those that are kept, then those that `make` makes of their numbers."""
        done = 0
        for block in self:
            yield block
            done += 1
        for number in range(done, count):
            block = make(number)
            self.add(block)
            yield block
        self.close()

    def add(self, block: Block) -> None:
        """Keep one block more; it must not be changed afterwards."""
        if self._folder is not None:
            self._waiting.append(block)
            if time.monotonic() - self._written >= self._seconds:
                self._write()

    def close(self) -> None:
        """Write what is left, if anything was written."""
        if self._waiting and self._files():
            self._write()

    def _files(self) -> list[Path]:
        return [] if self._folder is None else sorted(self._folder.glob("*.npz"))

    def _write(self) -> None:
        assert self._folder is not None
        self._folder.mkdir(parents=True, exist_ok=True)
        file = self._folder / f"{len(self._files()):06d}.npz"
        arrays = {
            f"{i} {name}": values for i, one in enumerate(self._waiting) for name, values in one.items()
        }
        with (half := file.with_suffix(".half")).open("wb") as opened:  # a half-written file is never read
            np.savez(opened, **arrays)  # type: ignore[arg-type]
        os.replace(half, file)
        self._waiting, self._written = [], time.monotonic()
