"""A compact twin of LlamaForCausalLM for training: same arithmetic, fused projections, static shapes."""
# ruff: noqa: N803, N806 - tensor names carry their axes

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

EMBEDDING_STD = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The size of the network; every field corresponds to one of transformers' LlamaConfig."""

    vocab: int
    width: int = 192
    layers: int = 6
    heads: int = 6
    hidden: int = 512
    rope_theta: float = 10000.0
    norm_eps: float = 1e-5
    max_positions: int = 1024

    @property
    def head_dim(self) -> int:
        """Return the channels of one head (vLLM refuses a checkpoint with fewer than 32)."""
        return self.width // self.heads


class RMSNorm(nn.Module):
    """Root-mean-square norm in the residual stream's own type."""

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x_BTC: Tensor) -> Tensor:
        """Return the normalised activations, statistics in fp32."""
        x32 = x_BTC.float()
        scale = torch.rsqrt(x32.pow(2).mean(-1, keepdim=True) + self.eps)
        return (x32 * scale * self.weight.float()).to(x_BTC.dtype)


def rotate(x_BHTD: Tensor, cos_TD: Tensor, sin_TD: Tensor) -> Tensor:
    """Apply rotary positions in Llama's half-split convention."""
    left, right = x_BHTD.chunk(2, dim=-1)
    turned = torch.cat((-right, left), dim=-1)
    return x_BHTD * cos_TD + turned * sin_TD


class Block(nn.Module):
    """One decoder layer: attention, then a gated MLP."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.heads, self.head_dim = shape.heads, shape.head_dim
        self.attention_norm = RMSNorm(shape.width, shape.norm_eps)
        self.qkv = nn.Linear(shape.width, 3 * shape.width, bias=False)
        self.out = nn.Linear(shape.width, shape.width, bias=False)
        self.mlp_norm = RMSNorm(shape.width, shape.norm_eps)
        self.gate_up = nn.Linear(shape.width, 2 * shape.hidden, bias=False)
        self.down = nn.Linear(shape.hidden, shape.width, bias=False)

    def forward(self, x_BTC: Tensor, cos_TD: Tensor, sin_TD: Tensor) -> Tensor:
        """Return the residual stream after this layer."""
        batch, time, width = x_BTC.shape
        qkv = self.qkv(self.attention_norm(x_BTC))
        qkv_3BHTD = qkv.view(batch, time, 3, self.heads, self.head_dim).permute(2, 0, 3, 1, 4)
        query, key, value = qkv_3BHTD.unbind(0)
        query, key = rotate(query, cos_TD, sin_TD), rotate(key, cos_TD, sin_TD)
        mixed = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        x_BTC = x_BTC + self.out(mixed.transpose(1, 2).reshape(batch, time, width))
        gate, up = self.gate_up(self.mlp_norm(x_BTC)).chunk(2, dim=-1)
        return x_BTC + self.down(functional.silu(gate) * up)


class PocketLM(nn.Module):
    """Decoder with tied embeddings. Rows are right-padded, so it needs only a causal mask."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.embedding = nn.Embedding(shape.vocab, shape.width)
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.final_norm = RMSNorm(shape.width, shape.norm_eps)
        frequency = shape.rope_theta ** (-torch.arange(0, shape.head_dim, 2).float() / shape.head_dim)
        angle = torch.outer(torch.arange(shape.max_positions).float(), frequency)
        self.register_buffer("cos_TD", torch.cat((angle, angle), -1).cos(), persistent=False)
        self.register_buffer("sin_TD", torch.cat((angle, angle), -1).sin(), persistent=False)
        self.initialise()

    def initialise(self) -> None:
        """Initialize the weights: blocks begin as zero, so the residual stream keeps each token's identity.

        The embedding is large relative to what blocks add early on. The final norm is small, because the head is tied
        to the embedding.
        """
        for name, weight in self.named_parameters():
            if name.endswith(("out.weight", "down.weight")):
                nn.init.zeros_(weight)
            elif "embedding" in name:
                nn.init.normal_(weight, std=EMBEDDING_STD)
            elif weight.ndim == 2:
                nn.init.normal_(weight, std=weight.shape[1] ** -0.5)
        nn.init.constant_(self.final_norm.weight, 1 / (EMBEDDING_STD * self.shape.width**0.5))

    def hidden(self, tokens_BT: Tensor) -> Tensor:
        """Return the normalised last hidden states."""
        time = tokens_BT.shape[1]
        stream = self.embedding(tokens_BT)
        cos_TD = self.cos_TD[:time].to(stream.dtype)
        sin_TD = self.sin_TD[:time].to(stream.dtype)
        for block in self.blocks:
            stream = block(stream, cos_TD, sin_TD)
        return self.final_norm(stream)

    def forward(self, tokens_BT: Tensor, places_N: Tensor) -> Tensor:
        """Return logits only at flat positions `places_N`, where the loss is taken."""
        hidden = self.hidden(tokens_BT).flatten(0, 1)[places_N]
        return functional.linear(hidden, self.embedding.weight)
