"""Check that the engine computes what the PyTorch model computes.

Run as ``python -m training.parity``. The weights are read back from the GGUF files, so
that both sides have the same rounding; log-probabilities of first tokens and whole
greedy answers are compared.
"""

from pathlib import Path

import gguf
import torch
from tokenizers import Tokenizer

from training.conversation import ANSWER, END, PROMPT, SPECIAL_TOKENS
from training.engine import GREEDY, Engine
from training.guide import load_guide
from training.model import ARCHITECTURES, LanguageModel, Shape
from training.tokenizer import train_tokenizer
from training.train import OUTPUT

__all__ = ["load_gguf"]

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


@torch.no_grad()
def greedy(model: LanguageModel, tokenizer: Tokenizer, question: str) -> str:
    """Return the greedy answer of a PyTorch model."""
    tokens = _tokens(tokenizer, question)
    start, end = len(tokens), tokenizer.token_to_id(END)
    while tokens[-1] != end or len(tokens) == start:
        features = model(torch.tensor([tokens]))[:, -1]
        tokens.append(int(model.logits(features).argmax()))
    return str(tokenizer.decode(tokens[start:-1]))


@torch.no_grad()
def difference(
    model: LanguageModel, tokenizer: Tokenizer, engine: Engine, question: str
) -> float:
    """Return the largest difference of the ten first log-probabilities."""
    features = model(torch.tensor([_tokens(tokenizer, question)]))[:, -1]
    ours = model.logits(features)[0].log_softmax(-1)
    theirs = engine.first_probabilities([{"role": "user", "content": question}])
    ids = {tokenizer.decode([number]): number for number in range(len(ours))}
    pairs = ((ours[ids[text]].item(), value) for text, value in theirs.items())
    return max(abs(mine - value) for mine, value in pairs)


def _tokens(tokenizer: Tokenizer, question: str) -> list[int]:
    special = {token: tokenizer.token_to_id(token) for token in SPECIAL_TOKENS}
    encoded = tokenizer.encode(question).ids
    return [special[PROMPT], *encoded, special[END], special[ANSWER]]


def main() -> None:
    """Compare both files on a few questions."""
    tokenizer = train_tokenizer(load_guide(), seed=1)
    for architecture in ARCHITECTURES:
        path = OUTPUT / f"demo-{architecture}.gguf"
        model, engine = load_gguf(path, architecture), Engine(path)
        for question in QUESTIONS:
            ours = greedy(model, tokenizer, question)
            theirs = engine.answer([{"role": "user", "content": question}], GREEDY)
            apart = difference(model, tokenizer, engine, question)
            print(architecture, question, ours == theirs, f"{apart:.4f}", sep=" | ")


if __name__ == "__main__":
    main()
