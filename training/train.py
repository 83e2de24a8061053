"""Train one architecture on the guide and write its GGUF file.

Run as ``python -m training.train --arch llama``. Everything is drawn from one seed.
"""

import argparse
import copy
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional

from training.conversation import END, Sampler, token_ids
from training.export import write_gguf
from training.guide import Guide, load_guide
from training.model import ARCHITECTURES, LanguageModel, Shape
from training.tokenizer import special_ids, train_tokenizer, with_dropout

__all__ = ["OUTPUT", "Batch", "Recipe", "batches", "loss_of", "train"]

OUTPUT = Path(__file__).parents[1] / "h2o_magic" / "weights" / "data"
PENALTY = 1.2
PENALTY_WINDOW = 64
POOL = 1000  # conversations drawn at once, then batched by length

Row = tuple[list[int], list[int]]


@dataclass(frozen=True)
class Lesson:
    """A kind of batch.

    Attributes
    ----------
    share
        How often it is drawn.
    turns
        The least and the most turns of a conversation.
    answer_tokens
        Answers are cut after so many tokens; None keeps them whole.
    """

    share: float
    turns: tuple[int, int]
    answer_tokens: int | None


@dataclass(frozen=True)
class Recipe:
    """How to train.

    Attributes
    ----------
    steps, warmup
        Optimizer steps, and those of them in which the learning rate rises.
    rate
        The highest learning rate; it falls in a straight line to zero.
    decay
        Weight decay.
    average
        Share of the old value in the moving average of the weights, per step.
    token_dropout
        Share of question texts that are cut into tokens with some merges left out.
    threads
        CPU threads.
    batch_tokens
        The most tokens in a batch, padding included.
    lessons
        The kinds of batches: mostly single questions with the first tokens of the
        answer, which decide the topic; conversations; whole answers.
    """

    steps: int = 1100
    warmup: int = 100
    rate: float = 4e-3
    decay: float = 0.05
    average: float = 0.995
    token_dropout: float = 0.15
    threads: int = 1
    batch_tokens: int = 3000
    lessons: tuple[Lesson, ...] = (
        Lesson(0.40, (1, 1), 8),
        Lesson(0.35, (2, 6), 10),
        Lesson(0.07, (1, 1), None),
        Lesson(0.18, (2, 7), None),
    )


@dataclass(frozen=True)
class Batch:
    """Rows of token ids, padded at the end, and the weight of each as a target."""

    tokens: Tensor
    weights: Tensor


def batches(
    guide: Guide, tokenizer: Tokenizer, recipe: Recipe, *, seed: int
) -> Iterator[Batch]:
    """Yield batches without end, drawn by the recipe."""
    rng = random.Random(seed)
    sampler = Sampler(guide, rng)
    noisy = with_dropout(tokenizer, 0.1)
    special = special_ids(tokenizer)
    answers = {
        answer: list(tokenizer.encode(answer).ids) for answer in guide.answers.values()
    }

    def encode(text: str) -> list[int]:
        if text in answers:
            return answers[text]
        chosen = noisy if rng.random() < recipe.token_dropout else tokenizer
        return list(chosen.encode(text).ids)

    shares = [lesson.share for lesson in recipe.lessons]
    queues: dict[Lesson, list[Batch]] = {lesson: [] for lesson in recipe.lessons}
    while True:
        (lesson,) = rng.choices(recipe.lessons, shares)
        queue = queues[lesson]
        if not queue:
            drawn = (
                sampler.conversation(rng.randint(*lesson.turns)) for _ in range(POOL)
            )
            rows = [
                token_ids(each, encode, special, answer_tokens=lesson.answer_tokens)
                for each in drawn
            ]
            groups = _by_length(rows, recipe.batch_tokens)
            queue += [_pad(group, special[END]) for group in groups]
            rng.shuffle(queue)
        yield queue.pop()


def _by_length(rows: list[Row], most: int) -> list[list[Row]]:
    """Group rows of about the same length into batches of at most so many tokens."""
    groups: list[list[Row]] = [[]]
    for row in sorted(rows, key=lambda row: len(row[0])):
        if len(row[0]) * (len(groups[-1]) + 1) > most and groups[-1]:
            groups.append([])
        groups[-1].append(row)
    return groups


def _pad(rows: list[Row], end: int, limit: int = 800) -> Batch:
    """Make one rectangle; the first tokens of an answer weigh more."""
    length = min(limit, max(len(ids) for ids, _ in rows))
    tokens = torch.full((len(rows), length), end)
    weights = torch.zeros(len(rows), length)
    for row, (ids, places) in enumerate(rows):
        kept = min(length, len(ids))
        tokens[row, :kept] = torch.tensor(ids[:kept])
        place = torch.tensor(places[:kept])
        weights[row, :kept] = (place > 0).float() + 2.0 * ((place > 0) & (place < 5))
    return Batch(tokens, weights)


def loss_of(model: LanguageModel, batch: Batch, *, penalized: bool) -> Tensor:
    """Return the mean cross-entropy of the answers' tokens.

    Parameters
    ----------
    model
        The model to measure.
    batch
        Tokens and weights.
    penalized
        Whether the logits first go through the engine's repetition penalty, so that the
        answers survive it.
    """
    features = model(batch.tokens[:, :-1])
    rows, places = batch.weights[:, 1:].nonzero(as_tuple=True)
    logits = model.logits(features[rows, places])
    if penalized:
        logits = _penalize(logits, batch.tokens, rows, places)
    losses = functional.cross_entropy(
        logits, batch.tokens[rows, places + 1], reduction="none"
    )
    weights = batch.weights[rows, places + 1]
    return (losses * weights).sum() / weights.sum()


def _penalize(logits: Tensor, tokens: Tensor, rows: Tensor, places: Tensor) -> Tensor:
    """Make the last 64 tokens less likely, as `repeat_penalty` does."""
    # The end token, which fills up short windows, is in nearly all of them anyway.
    padded = functional.pad(tokens, (PENALTY_WINDOW - 1, 0), value=0)
    windows = padded.unfold(1, PENALTY_WINDOW, 1)[rows, places]
    factors = torch.ones_like(logits).scatter_(1, windows, PENALTY)
    return torch.where(logits > 0, logits / factors, logits * factors)


def train(
    architecture: str, guide: Guide, recipe: Recipe, *, seed: int
) -> tuple[LanguageModel, Tokenizer]:
    """Train a model and return its averaged weights, with its tokenizer.

    Parameters
    ----------
    architecture
        ``llama`` or ``falcon``.
    guide
        The training data.
    recipe
        How to train.
    seed
        Seed of the first weights and of all data.
    """
    torch.manual_seed(seed)
    torch.set_num_threads(recipe.threads)
    tokenizer = train_tokenizer(guide, seed=seed)
    model = LanguageModel(architecture, Shape(vocabulary=tokenizer.get_vocab_size()))
    averaged = copy.deepcopy(model)
    optimizers = _optimizers(model, recipe)
    source = batches(guide, tokenizer, recipe, seed=seed)
    coin = random.Random(seed)
    began, mean = time.monotonic(), 0.0
    for step in range(recipe.steps):
        rising = min(1.0, (step + 1) / recipe.warmup)
        rate = recipe.rate * min(rising, 1.0 - step / recipe.steps)
        loss = loss_of(model, next(source), penalized=coin.random() < 0.5)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate
            optimizer.step()
            optimizer.zero_grad()
        _average(averaged, model, min(recipe.average, step / (step + 10)))
        mean += (loss.item() - mean) / min(step + 1, 100)
        if step % 100 == 99:
            seconds = time.monotonic() - began
            print(f"step {step + 1} loss {mean:.4f} {seconds:.0f} s", flush=True)
    return averaged.eval(), tokenizer


def _optimizers(model: LanguageModel, recipe: Recipe) -> list[torch.optim.Optimizer]:
    """Muon for the matrices of the blocks, AdamW for the embedding and the norms."""
    matrices: list[Tensor] = []
    others: list[Tensor] = []
    for name, weight in model.named_parameters():
        inside = weight.dim() == 2 and name.startswith("blk.")
        (matrices if inside else others).append(weight)
    muon = torch.optim.Muon(
        matrices, weight_decay=recipe.decay, adjust_lr_fn="match_rms_adamw"
    )
    adamw = torch.optim.AdamW(others, weight_decay=recipe.decay, betas=(0.9, 0.98))
    return [muon, adamw]


@torch.no_grad()
def _average(averaged: LanguageModel, model: LanguageModel, keep: float) -> None:
    for old, new in zip(averaged.parameters(), model.parameters(), strict=True):
        old.lerp_(new, 1.0 - keep)


def main() -> None:
    """Parse the command line, train, and write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--arch", choices=ARCHITECTURES, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int, default=Recipe.steps)
    parser.add_argument("--threads", type=int, default=Recipe.threads)
    parser.add_argument("--output", type=Path, help="default: the package's data")
    arguments = parser.parse_args()
    path = arguments.output or OUTPUT / f"demo-{arguments.arch}.gguf"
    recipe = Recipe(steps=arguments.steps, threads=arguments.threads)
    began = time.monotonic()
    model, tokenizer = train(arguments.arch, load_guide(), recipe, seed=arguments.seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_gguf(path, model, tokenizer)
    minutes, busy = (time.monotonic() - began) / 60, time.process_time() / 60
    size = path.stat().st_size / 1e6
    print(f"{path}: {size:.2f} MB in {minutes:.1f} min, {busy:.1f} min of CPU time")


if __name__ == "__main__":
    main()
