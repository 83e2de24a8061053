"""Check that the engine computes what the PyTorch model computes.

Run as ``python -m training.parity``. The weights are read back from the GGUF files, so
that both sides have the same rounding; log-probabilities of first tokens and whole
greedy answers are compared.
"""

from pathlib import Path

import gguf
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from training.conversation import ANSWER, END, PROMPT, SPECIAL_TOKENS
from training.engine import GREEDY, Engine
from training.model import ARCHITECTURES, LanguageModel, Shape
from training.tokenizer import special_ids
from training.train import OUTPUT

__all__ = ["load_gguf", "load_tokenizer"]

LONGEST = 300
QUESTIONS = (
    "How do I load the extension?",
    "what is the capital of Peru",
    "which parameters are there",
    "Grüße! 🙂 日本語",
)


def load_gguf(path: Path, architecture: str) -> LanguageModel:
    """Return the model in a GGUF file, its weights as 32-bit floats."""
    model = LanguageModel(architecture, Shape())
    tensors = {tensor.name: tensor for tensor in gguf.GGUFReader(path).tensors}
    state = {
        name: torch.from_numpy(
            gguf.quants.dequantize(tensors[name].data, tensors[name].tensor_type).copy()
        ).reshape(weight.shape)
        for name, weight in model.state_dict().items()
    }
    model.load_state_dict(state)
    return model.eval()


def load_tokenizer(path: Path) -> Tokenizer:
    """Return the tokenizer in a GGUF file."""
    fields = gguf.GGUFReader(path).fields
    tokens = fields["tokenizer.ggml.tokens"].contents()
    merges = fields["tokenizer.ggml.merges"].contents()
    vocabulary = {token: number for number, token in enumerate(tokens)}
    pairs = [(left, right) for left, right in (merge.split(" ") for merge in merges)]
    tokenizer = Tokenizer(models.BPE(vocabulary, pairs))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(list(SPECIAL_TOKENS))
    return tokenizer


@torch.no_grad()
def greedy(model: LanguageModel, tokenizer: Tokenizer, question: str) -> str:
    """Return the greedy answer of a PyTorch model."""
    tokens = _tokens(tokenizer, question)
    start, end = len(tokens), special_ids(tokenizer)[END]
    for _ in range(LONGEST):
        features = model(torch.tensor([tokens]))[:, -1]
        tokens.append(int(model.logits(features).argmax()))
        if tokens[-1] == end:
            break
    return str(tokenizer.decode(tokens[start:]))


@torch.no_grad()
def difference(
    model: LanguageModel, tokenizer: Tokenizer, engine: Engine, question: str
) -> float:
    """Return the largest difference of the ten first log-probabilities."""
    features = model(torch.tensor([_tokens(tokenizer, question)]))[:, -1]
    ours = model.logits(features)[0].log_softmax(-1)
    theirs = engine.first_probabilities([{"role": "user", "content": question}])
    ids = {tokenizer.decode([number]): number for number in range(len(ours))}
    whole = {text for text in theirs if text in ids and text and "\ufffd" not in text}
    pairs = ((ours[ids[text]].item(), theirs[text]) for text in whole)
    return max(abs(mine - value) for mine, value in pairs)


def _tokens(tokenizer: Tokenizer, question: str) -> list[int]:
    special = special_ids(tokenizer)
    encoded = tokenizer.encode(question).ids
    return [special[PROMPT], *encoded, special[END], special[ANSWER]]


def main() -> None:
    """Compare both files on a few questions."""
    for architecture in ARCHITECTURES:
        path = OUTPUT / f"demo-{architecture}.gguf"
        model, engine = load_gguf(path, architecture), Engine(path)
        tokenizer = load_tokenizer(path)
        for question in QUESTIONS:
            ours = greedy(model, tokenizer, question)
            theirs = engine.answer([{"role": "user", "content": question}], GREEDY)
            apart = difference(model, tokenizer, engine, question)
            print(architecture, question, ours == theirs, f"{apart:.4f}", sep=" | ")


if __name__ == "__main__":
    main()
