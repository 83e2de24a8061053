"""Training of the built-in demo weights: a step for maintainers, never installed.

Two tiny language models, one of the Llama and one of the Falcon architecture, are
trained on the guide to h2o_magic and written as GGUF files for the engine. The modules,
from the bottom up: `guide` (the data), `grammar` (alternations and slots), `augment`
(noise on questions), `conversation` (chat texts), `tokenizer`, `model`, `export`,
and on top `train` and `evaluate`, which are commands.
"""
