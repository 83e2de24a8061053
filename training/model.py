"""The two architectures in plain PyTorch, as the engine computes them.

Llama: RMSNorm, interleaved-pair RoPE, SwiGLU. Falcon: LayerNorm, half-split RoPE, fused
QKV, attention and tanh GELU side by side. Both share the token embedding with the
output, and both name their weights as GGUF does, so that `export` only copies.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["ARCHITECTURES", "LanguageModel", "Shape"]

ARCHITECTURES = ("llama", "falcon")


@dataclass(frozen=True)
class Shape:
    """Sizes of a model.

    Attributes
    ----------
    vocabulary, width, layers, heads
        Tokens, features of a token, blocks, attention heads.
    context
        The longest input and answer together, in tokens.
    epsilon
        Added to the variance in the norms.
    rope_base
        Base of the rotary angles.
    """

    vocabulary: int = 2048
    width: int = 192
    layers: int = 4
    heads: int = 6
    context: int = 1024
    epsilon: float = 1e-5
    rope_base: float = 10000.0

    @property
    def head(self) -> int:
        """Features of one attention head."""
        return self.width // self.heads

    def feed_forward(self, architecture: str) -> int:
        """Width of the feed-forward layer; about the same weights for both."""
        return {"llama": 512, "falcon": 4 * self.width}[architecture]


class LanguageModel(nn.Module):
    """A decoder of the Llama or the Falcon architecture.

    Parameters
    ----------
    architecture
        ``llama`` or ``falcon``.
    shape
        Its sizes.
    """

    def __init__(self, architecture: str, shape: Shape) -> None:
        super().__init__()
        if architecture not in ARCHITECTURES:
            raise ValueError(f"expected one of {ARCHITECTURES}, got {architecture!r}")
        self.architecture = architecture
        self.shape = shape
        block = LlamaBlock if architecture == "llama" else FalconBlock
        self.token_embd = nn.Embedding(shape.vocabulary, shape.width)
        self.blk = nn.ModuleList(block(shape) for _ in range(shape.layers))
        self.output_norm = _norm(architecture, shape)
        cosines, sines = _rope_tables(shape)
        self.cosines: Tensor
        self.sines: Tensor
        self.register_buffer("cosines", cosines, persistent=False)
        self.register_buffer("sines", sines, persistent=False)
        self._initialize()

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the normed features, shape (batch, length, width)."""
        length = tokens.shape[1]
        rope = (self.cosines[:length], self.sines[:length])
        features = self.token_embd(tokens)
        for block in self.blk:
            features = block(features, rope)
        normed: Tensor = self.output_norm(features)
        return normed

    def logits(self, features: Tensor) -> Tensor:
        """Return the logits of the next token, shape (..., vocabulary)."""
        return functional.linear(features, self.token_embd.weight)

    def _initialize(self) -> None:
        deep = (2 * self.shape.layers) ** -0.5
        for name, weight in self.named_parameters():
            if weight.dim() < 2:
                continue
            last = "attn_output" in name or "ffn_down" in name
            nn.init.normal_(weight, std=0.04 * (deep if last else 1.0))


class LlamaBlock(nn.Module):
    """Attention, then SwiGLU, each after an RMSNorm."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        width, hidden = shape.width, shape.feed_forward("llama")
        self.shape = shape
        self.attn_norm = _norm("llama", shape)
        self.attn_q = nn.Linear(width, width, bias=False)
        self.attn_k = nn.Linear(width, width, bias=False)
        self.attn_v = nn.Linear(width, width, bias=False)
        self.attn_output = nn.Linear(width, width, bias=False)
        self.ffn_norm = _norm("llama", shape)
        self.ffn_gate = nn.Linear(width, hidden, bias=False)
        self.ffn_up = nn.Linear(width, hidden, bias=False)
        self.ffn_down = nn.Linear(hidden, width, bias=False)

    def forward(self, features: Tensor, rope: tuple[Tensor, Tensor]) -> Tensor:
        """Return the features after this block."""
        normed = self.attn_norm(features)
        query, key = (
            rotate_pairs(_heads(project(normed), self.shape), *rope)
            for project in (self.attn_q, self.attn_k)
        )
        value = _heads(self.attn_v(normed), self.shape)
        features = features + self.attn_output(_attend(query, key, value))
        normed = self.ffn_norm(features)
        gated = functional.silu(self.ffn_gate(normed)) * self.ffn_up(normed)
        result: Tensor = features + self.ffn_down(gated)
        return result


class FalconBlock(nn.Module):
    """Attention and a GELU layer side by side after one LayerNorm."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        width, hidden = shape.width, shape.feed_forward("falcon")
        self.shape = shape
        self.attn_norm = _norm("falcon", shape)
        self.attn_qkv = nn.Linear(width, 3 * width, bias=False)
        self.attn_output = nn.Linear(width, width, bias=False)
        self.ffn_up = nn.Linear(width, hidden, bias=False)
        self.ffn_down = nn.Linear(hidden, width, bias=False)

    def forward(self, features: Tensor, rope: tuple[Tensor, Tensor]) -> Tensor:
        """Return the features after this block."""
        normed = self.attn_norm(features)
        query, key, value = (
            _heads(part, self.shape) for part in self.attn_qkv(normed).chunk(3, dim=-1)
        )
        query, key = rotate_halves(query, *rope), rotate_halves(key, *rope)
        attended = self.attn_output(_attend(query, key, value))
        hidden = functional.gelu(self.ffn_up(normed), approximate="tanh")
        result: Tensor = features + attended + self.ffn_down(hidden)
        return result


def rotate_pairs(heads: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
    """Rotate features (0, 1), (2, 3), ... by position, as Llama in GGUF does."""
    even, odd = heads[..., 0::2], heads[..., 1::2]
    rotated = (even * cosines - odd * sines, even * sines + odd * cosines)
    return torch.stack(rotated, dim=-1).flatten(-2)


def rotate_halves(heads: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
    """Rotate features (0, h/2), (1, h/2 + 1), ... by position, as Falcon does."""
    low, high = heads.chunk(2, dim=-1)
    return torch.cat(
        (low * cosines - high * sines, low * sines + high * cosines), dim=-1
    )


def _norm(architecture: str, shape: Shape) -> nn.Module:
    kind = nn.RMSNorm if architecture == "llama" else nn.LayerNorm
    return kind(shape.width, eps=shape.epsilon)


def _heads(features: Tensor, shape: Shape) -> Tensor:
    batch, length, _ = features.shape
    return features.view(batch, length, shape.heads, shape.head).transpose(1, 2)


def _attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    attended = functional.scaled_dot_product_attention(
        query, key, value, is_causal=True
    )
    return attended.transpose(1, 2).flatten(2)


def _rope_tables(shape: Shape) -> tuple[Tensor, Tensor]:
    """Cosines and sines of the angles, shape (context, head / 2)."""
    exponents = torch.arange(0, shape.head, 2) / shape.head
    positions = torch.arange(shape.context).float()
    angles = torch.outer(positions, shape.rope_base**-exponents)
    return angles.cos(), angles.sin()
