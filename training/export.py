"""Write a trained model and its tokenizer as one GGUF file for the engine."""

import json
from pathlib import Path

import gguf
import numpy as np
from tokenizers import Tokenizer

from training.conversation import CHAT_TEMPLATE, END, SPECIAL_TOKENS
from training.model import LanguageModel

__all__ = ["SHARPNESS", "write_gguf"]

# The final norm is written this much larger: the logits grow with it, so that sampling
# at the default temperature of 0.4 is nearly greedy. Greedy answers do not change.
SHARPNESS = 4.0


def write_gguf(path: Path, model: LanguageModel, tokenizer: Tokenizer) -> None:
    """Write the file, matrices as Q8_0, the rest as 32-bit floats.

    Parameters
    ----------
    path
        The file; it is overwritten.
    model
        The trained model; its weights carry the names that GGUF gives them.
    tokenizer
        The tokenizer it was trained with.
    """
    writer = gguf.GGUFWriter(path, model.architecture)
    _add_description(writer, model)
    _add_tokenizer(writer, tokenizer)
    for name, weight in model.state_dict().items():
        array = weight.detach().float().numpy()
        if name.startswith("output_norm."):
            array = array * np.float32(SHARPNESS)
        if array.ndim == 1:
            writer.add_tensor(name, array)
            continue
        quantized = gguf.quants.quantize(array, gguf.GGMLQuantizationType.Q8_0)
        writer.add_tensor(name, quantized, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add_description(writer: gguf.GGUFWriter, model: LanguageModel) -> None:
    shape = model.shape
    writer.add_name(f"h2o_magic demo ({model.architecture})")
    writer.add_description("Answers questions about the guide to h2o_magic only.")
    writer.add_license("BSD-3-Clause")
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.feed_forward(model.architecture))
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.heads)
    writer.add_rope_dimension_count(shape.head)
    writer.add_rope_freq_base(shape.rope_base)
    writer.add_vocab_size(shape.vocabulary)
    if model.architecture == "llama":
        writer.add_layer_norm_rms_eps(shape.epsilon)
    else:
        writer.add_layer_norm_eps(shape.epsilon)


def _add_tokenizer(writer: gguf.GGUFWriter, tokenizer: Tokenizer) -> None:
    merges = json.loads(tokenizer.to_str())["model"]["merges"]
    vocabulary = tokenizer.get_vocab()
    tokens = sorted(vocabulary, key=vocabulary.__getitem__)
    end = vocabulary[END]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types(
        [
            gguf.TokenType.CONTROL if token in SPECIAL_TOKENS else gguf.TokenType.NORMAL
            for token in tokens
        ]
    )
    writer.add_token_merges([" ".join(pair) for pair in merges])
    writer.add_eos_token_id(end)
    writer.add_bos_token_id(end)
    writer.add_pad_token_id(end)
    writer.add_add_bos_token(False)
    writer.add_chat_template(CHAT_TEMPLATE)
