"""Noise on questions: other openers, synonyms, typos, lost words, case, punctuation.

The noise never depends on the topic, so that style says nothing about the answer.
"""

import random
import re
import string

__all__ = ["augment"]

HOW_DO_I = re.compile(r"^how (do|can|would|should) (i|you|we|one) ", re.IGNORECASE)
WHAT_IS = re.compile(r"^(what is|what's|explain|what are|describe) ", re.IGNORECASE)
HOW_OPENERS = (
    "how do I|how can I|how to|how do you|how would I|how should I|what is the way to|"
    "I want to|I need to|I'd like to|I would like to|is it possible to|can I|can one|"
    "tell me how to|show me how to|explain how to|what do I do to|is there a way to|"
    "any way to|could you tell me how to|what's the command to|what must I type to|"
    "how does one|what is the best way to|I am trying to|I'm trying to|help me to|"
    "can you tell me how to|do you know how to|let me|what should I do to|please tell "
    "me how to|how might I|is there an option to|which command lets me|I wish to|"
    "what do I have to do to|could I|how could I|where do I|can you|please"
).split("|")
WHAT_OPENERS = (
    "what is|what's|explain|explain to me|describe|tell me about|what exactly is|"
    "what do you know about|define|what are|what about|I want to know what is|"
    "can you explain|could you tell me what is|please explain|meaning of"
).split("|")
PREFIXES = (
    "hey|hi|hello|please|ok|okay|so|well|and|now|sorry|excuse me|quick question:|"
    "question:|hm|um|tell me|just wondering,|but|one more thing:|actually|also|"
    "by the way,|hey there,|good morning,|I wonder:|can you help?|next:|then"
).split("|")
SUFFIXES = (
    "please|thanks|thank you|here|now|exactly|in jupyter|in the notebook|again|then|"
    "with h2o_magic|with this|in this extension|for me|quickly|pls|if possible|"
    "in general|by the way|today|right now|anyway|actually"
).split("|")
SYNONYMS = [
    group.split("|")
    for group in (
        "show|display|print|see|view",
        "answer|reply|response|output",
        "answers|replies|responses|outputs",
        "question|prompt|query",
        "questions|prompts|queries",
        "conversation|chat|dialogue|discussion",
        "machine|computer|laptop|pc",
        "stop|halt|end|quit",
        "start|launch|begin|run",
        "change|modify|alter|adjust",
        "use|employ|utilize|work with",
        "download|fetch|get|pull",
        "option|flag|switch|argument",
        "extension|plugin|add-on|magic",
        "notebook|jupyter notebook|ipynb",
        "big|large|huge",
        "small|tiny|little",
        "fast|quick|quickly",
        "permanently|for good|forever|always",
        "need|require",
        "needed|required|necessary",
        "default|standard|preset|usual",
        "set|specify|configure|define",
        "delete|remove|erase|wipe",
        "limit|restrict|cap",
        "choose|select|pick",
        "list|show|give",
        "all|every",
        "forget|drop|clear",
        "make|let|have",
        "happens|occurs|will happen",
        "crashes|dies|fails|breaks",
        "possible|available|allowed",
        "previous|earlier|last|former",
        "install|set up|get",
        "text|words|output",
        "folder|directory",
        "permanent|lasting",
        "exact|precise",
        "random|chance",
        "write|type|enter|put",
        "explain|describe",
        "works|functions",
        "want|wish|would like",
        "another|a different|some other",
        "maximum|max|most",
        "shorter|briefer",
        "server|service|backend",
        "model|llm|language model|network",
        "weights|model files",
        "find|locate|look up",
        "same|identical",
    )
]
SYNONYM_OF = {word: group for group in SYNONYMS for word in group}
DROPPABLE = frozenset(
    "a an the of to in for on is are do does i it my this that with me can you be "
    "and at by from so there please just how what".split()
)


def augment(question: str, rng: random.Random) -> str:
    """Return a noisy version of a question.

    Parameters
    ----------
    question
        The question as it was written.
    rng
        Source of all choices.
    """
    text = _opener(question, rng) if rng.random() < 0.4 else question
    words = text.split()
    if rng.random() < 0.4:
        words = [_synonym(word, rng) for word in words]
    if rng.random() < 0.35:
        words = _drop(words, rng)
    if rng.random() < 0.2:
        at = rng.randrange(len(words))
        words[at] = _typo(words[at], rng)
    if rng.random() < 0.1:
        words.insert(0, rng.choice(PREFIXES))
    if rng.random() < 0.08:
        words.append(rng.choice(SUFFIXES))
    return _case(_punctuation(" ".join(words), rng), rng)


def _opener(text: str, rng: random.Random) -> str:
    """Begin a how or what question in another way."""
    for pattern, openers in ((HOW_DO_I, HOW_OPENERS), (WHAT_IS, WHAT_OPENERS)):
        match = pattern.match(text)
        if match:
            rest = text[match.end() :]
            return rest if rng.random() < 0.15 else f"{rng.choice(openers)} {rest}"
    return text


def _synonym(word: str, rng: random.Random) -> str:
    group = SYNONYM_OF.get(word.lower())
    return rng.choice(group) if group and rng.random() < 0.4 else word


def _drop(words: list[str], rng: random.Random) -> list[str]:
    """Lose some words: small ones often, others seldom."""
    kept = [
        word
        for word in words
        if rng.random() > (0.3 if word.lower() in DROPPABLE else 0.08)
    ]
    return kept or words


def _typo(word: str, rng: random.Random) -> str:
    """Swap, lose, double or replace one letter of a word of four or more."""
    if len(word) < 4 or not word.isalpha():
        return word
    at = rng.randrange(len(word) - 1)
    return rng.choice(
        (
            word[:at] + word[at + 1] + word[at] + word[at + 2 :],
            word[:at] + word[at + 1 :],
            word[:at] + word[at] + word[at:],
            word[:at] + rng.choice(string.ascii_lowercase) + word[at + 1 :],
        )
    )


def _punctuation(text: str, rng: random.Random) -> str:
    draw = rng.random()
    if draw < 0.25:
        return text.rstrip("?.! ") + "?"
    if draw < 0.5:
        return text.rstrip("?.! ")
    if draw < 0.58:
        return text.rstrip("?.! ") + rng.choice((".", "!", "??", " ?", "...", "?!"))
    if draw < 0.63:
        return text.replace(",", "").replace("'", "").replace("`", "")
    return text


def _case(text: str, rng: random.Random) -> str:
    draw = rng.random()
    if draw < 0.35:
        return text[:1].upper() + text[1:]
    if draw < 0.5:
        return text.lower()
    if draw < 0.52:
        return text.upper()
    return text
