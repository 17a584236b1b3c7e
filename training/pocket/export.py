"""Write a trained network as a LlamaForCausalLM folder: fp16 safetensors, configuration, tokenizer, generation.

python export.py --checkpoint FILE --tokenizer FOLDER --out FOLDER
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import torch
from mixture import END, PAD, START
from model import Shape
from safetensors.torch import save_file
from tokenizers import Tokenizer
from torch import Tensor

MAX_NEW_TOKENS = 48


def llama_weights(weights: Mapping[str, Tensor], shape: Shape) -> dict[str, Tensor]:
    """Rename the weights and split the fused projections; the head stays tied to the embedding."""
    renamed = {
        "model.embed_tokens.weight": weights["embedding.weight"],
        "model.norm.weight": weights["final_norm.weight"],
    }
    for layer in range(shape.layers):
        old, new = f"blocks.{layer}", f"model.layers.{layer}"
        query, key, value = weights[f"{old}.qkv.weight"].split(shape.width)
        gate, up = weights[f"{old}.gate_up.weight"].chunk(2)
        renamed |= {
            f"{new}.self_attn.q_proj.weight": query,
            f"{new}.self_attn.k_proj.weight": key,
            f"{new}.self_attn.v_proj.weight": value,
            f"{new}.self_attn.o_proj.weight": weights[f"{old}.out.weight"],
            f"{new}.mlp.gate_proj.weight": gate,
            f"{new}.mlp.up_proj.weight": up,
            f"{new}.mlp.down_proj.weight": weights[f"{old}.down.weight"],
            f"{new}.input_layernorm.weight": weights[f"{old}.attention_norm.weight"],
            f"{new}.post_attention_layernorm.weight": weights[f"{old}.mlp_norm.weight"],
        }
    return renamed


def llama_config(shape: Shape, tokenizer: Tokenizer) -> dict[str, object]:
    """Return the content of config.json."""
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": shape.vocab,
        "hidden_size": shape.width,
        "intermediate_size": shape.hidden,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.heads,
        "head_dim": shape.head_dim,
        "hidden_act": "silu",
        "max_position_embeddings": shape.max_positions,
        "rms_norm_eps": shape.norm_eps,
        "rope_theta": shape.rope_theta,
        "rope_parameters": {"rope_type": "default", "rope_theta": shape.rope_theta},
        "tie_word_embeddings": True,
        "attention_bias": False,
        "mlp_bias": False,
        "torch_dtype": "float16",
        "bos_token_id": tokenizer.token_to_id(START),
        "eos_token_id": tokenizer.token_to_id(END),
        "pad_token_id": tokenizer.token_to_id(PAD),
    }


def export(weights: Mapping[str, Tensor], shape: Shape, tokenizer_folder: Path, out: Path) -> None:
    """Write every file of the checkpoint, each one atomically."""
    out.mkdir(parents=True, exist_ok=True)
    tokenizer = Tokenizer.from_file(str(tokenizer_folder / "tokenizer.json"))
    generation = {
        "do_sample": False,
        "max_new_tokens": MAX_NEW_TOKENS,
        "bos_token_id": tokenizer.token_to_id(START),
        "eos_token_id": tokenizer.token_to_id(END),
        "pad_token_id": tokenizer.token_to_id(PAD),
    }
    draft = out / ".draft"
    halves = {name: weight.half().contiguous() for name, weight in llama_weights(weights, shape).items()}
    for name, content in (("config.json", llama_config(shape, tokenizer)), ("generation_config.json", generation)):
        draft.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        draft.replace(out / name)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(tokenizer_folder / name, draft)
        draft.replace(out / name)
    save_file(halves, str(draft), metadata={"format": "pt"})
    draft.chmod(0o644)
    draft.replace(out / "model.safetensors")


def main() -> None:
    """Export one training checkpoint."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    saved = torch.load(arguments.checkpoint, weights_only=True)
    export(saved["average"], Shape(**saved["shape"]), arguments.tokenizer, arguments.out)


if __name__ == "__main__":
    main()
