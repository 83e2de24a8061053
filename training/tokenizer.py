"""The byte-level BPE tokenizer: trained on the guide, any UTF-8 round-trips."""

import random
from collections.abc import Iterator

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from training.augment import augment
from training.conversation import SPECIAL_TOKENS
from training.guide import Guide

__all__ = ["VOCABULARY", "special_ids", "train_tokenizer", "with_dropout"]

VOCABULARY = 2048
# The pre-tokenizer that llama.cpp calls gpt-2.
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)"


def train_tokenizer(guide: Guide, *, seed: int) -> Tokenizer:
    """Train the tokenizer on questions and answers.

    Parameters
    ----------
    guide
        The texts; answers count often, so that commands become few tokens.
    seed
        Seed of the texts drawn from the grammars.

    Returns
    -------
    Tokenizer
        With the special tokens first, then the 256 bytes, then the merges.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(GPT2), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_texts(guide, random.Random(seed)), trainer)
    return tokenizer


def special_ids(tokenizer: Tokenizer) -> dict[str, int]:
    """Return the ids of the special tokens."""
    vocabulary = tokenizer.get_vocab()
    return {token: vocabulary[token] for token in SPECIAL_TOKENS}


def with_dropout(tokenizer: Tokenizer, dropout: float) -> Tokenizer:
    """Return a copy that leaves out merges at random, for noise in training."""
    copy = Tokenizer.from_str(tokenizer.to_str())
    copy.model.dropout = dropout
    return copy


def _texts(guide: Guide, rng: random.Random) -> Iterator[str]:
    for answer in guide.answers.values():
        yield from [answer] * 30
    for topic in guide.topics:
        for question in guide.phrasings[topic]:
            yield question
            yield augment(question, rng)
        for _ in range(40):
            yield augment(guide.grammars[topic].sample(rng), rng)
    for question in guide.outside:
        yield question
    for _ in range(1000):
        yield augment(guide.outside_grammar.sample(rng), rng)
    for seconds in guide.seconds.values():
        yield from seconds * 2
    yield from (*guide.systems, *guide.fillers, *guide.pastes)
