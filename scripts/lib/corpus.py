"""What the load comparison serves: a reproducible site of 2,000 files, and some beside them."""

import hashlib
import itertools
import random
import string
from pathlib import Path

COUNT = 2_000
MEAN_BYTES = 43_000
SEED = 43
NAME_LENGTH = 24

# Extension, share of the files, whether it is text. No pages: Pages answers for `a.html` with a redirect to `a`.
KINDS = (("js", 0.30, True), ("css", 0.12, True), ("svg", 0.10, True), ("json", 0.08, True), ("png", 0.16, False))
KINDS += (("webp", 0.14, False), ("woff2", 0.10, False))

HOT = "/hot.txt"
BIG = "/big.bin"
ABSENT = "/nothing/here/at/all.js"


class Corpus:
    """Assets by path, all of them in memory."""

    def __init__(self):
        chance = random.Random(SEED)
        words = _vocabulary(chance)
        lines = _lines(chance, words)
        self.files = {}
        self.texts = []  # the paths of those which compression makes smaller
        for number, size in enumerate(_sizes(chance)):
            extension, _, is_text = chance.choices(KINDS, [share for _, share, _ in KINDS])[0]
            path = _path(chance.choice(words), number, extension)
            self.files[path] = _text(chance, lines, size) if is_text else chance.randbytes(size)
            if is_text:
                self.texts.append(path)
        self.listed = list(self.files)
        self.hot = _text(chance, lines, 1024)
        self.not_found = b"<!doctype html><title>Not found</title>" + _text(chance, lines, 1200)
        self.big = chance.randbytes(10 << 20)
        pages = {"/404.html": self.not_found, "/index.html": b"<!doctype html><h1>Hi</h1>"}
        self.all = {**self.files, HOT: self.hot, BIG: self.big, **pages}

    def write(self, root):
        """Writes it for a server of directories."""
        for path, data in self.all.items():
            target = Path(root) / path[1:]
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)

    def uploads(self):
        """As `Client.upload` takes it."""
        types = {"js": "application/javascript", "css": "text/css", "svg": "image/svg+xml", "png": "image/png"}
        types |= {"json": "application/json", "webp": "image/webp", "woff2": "font/woff2", "txt": "text/plain"}
        types |= {"html": "text/html", "bin": "application/octet-stream"}
        key = lambda data: hashlib.sha256(data).hexdigest()[:32]  # noqa: E731
        return {path: (key(data), data, types[path.rsplit(".", 1)[1]]) for path, data in self.all.items()}


def _path(word, number, extension):
    """All paths are of one length.

    With others, Debian's brotli module makes nginx open the same file dozens of times: it looks files up in
    open_file_cache by their name and what happens to stand behind it in memory, which is always the same when
    names are equally long. nginx should be measured without that.
    """
    end = f"-{number:04x}.{extension}"
    return f"/assets/{number % 25:02}/{word:_<{NAME_LENGTH - len(end)}}{end}"


def _vocabulary(chance):
    """Pseudo-words."""
    return ["".join(chance.choices(string.ascii_lowercase, k=chance.randint(2, 11))) for _ in range(2_000)]


def _sizes(chance):
    """Many small files, few large ones, of exactly the mean that is asked for but for rounding."""
    drawn = [min(chance.lognormvariate(0, 1.4), 40) for _ in range(COUNT)]
    factor = MEAN_BYTES * COUNT / sum(drawn)
    return [max(200, int(size * factor)) for size in drawn]


def _lines(chance, words):
    """Lines to make texts of: some words are far more frequent than others, and marks stand between them."""
    frequencies = list(itertools.accumulate(1 / (rank + 3) for rank in range(len(words))))
    marks = ("", "", "", ",", ";", "(", ")", ": ")
    line = lambda: " ".join(  # noqa: E731
        word + chance.choice(marks) for word in chance.choices(words, cum_weights=frequencies, k=chance.randint(2, 12))
    )
    return [f"{'  ' * chance.randint(0, 3)}{line()}\n" for _ in range(20_000)]


def _text(chance, lines, size):
    """Text of exactly this size, different from every other."""
    text = "".join(chance.choices(lines, k=size // 30 + 20)).encode()
    return text[:size].ljust(size)
