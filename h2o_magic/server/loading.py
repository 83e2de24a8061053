"""What the engine of a model is started with: template, sampling, slots, memory."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping
from pathlib import Path

from h2o_magic.config.parameters import DEFAULT_LENGTH
from h2o_magic.errors import ConfigurationError
from h2o_magic.server.engine import EngineConfig
from h2o_magic.server.engine_process import (
    SPARE_THREADS,
    Engine,
    EngineProcess,
    random_key,
)
from h2o_magic.server.models import Load
from h2o_magic.server.request_queue import RequestQueue
from h2o_magic.weights.files import Weights, is_immutable, projector_of
from h2o_magic.weights.gguf import Header, read_header
from h2o_magic.weights.memory import MemoryPlan, file_size
from h2o_magic.weights.names import unsplit_name

#: What opens a turn in the raw format of H2O.ai's models: the user's, the model's.
RAW_MARKERS = ("<|prompt|>", "<|answer|>")
#: Tokens of input read at a time. A request that was given up ends between two batches.
_BATCH = 128
#: The longest text that is embedded, in tokens, which must be read at once.
_TEXT = 2048
_OWN_POOLING, _MEAN_POOLING = -1, 1  # of llama.cpp's `llama_pooling_type`
#: Memory of an engine beside weights and context, in bytes.
_HEADROOM = 4 * 2**30
#: Our parameters in llama.cpp's `common_params_sampling`.
_SAMPLING = {
    "temperature": "temp",
    "top_k": "top_k",
    "top_p": "top_p",
    "min_p": "min_p",
    "typical_p": "typ_p",
    "repetition_penalty": "penalty_repeat",
    "penalty_last_n": "penalty_last_n",
}
#: Of `common_params_sampling_config`: the file's value for it does not count.
_OWN_LAST_N = 1 << 7

#: For weights without a template: ``<|prompt|>Q<end><|answer|>A<end>...``.
_RAW = """\
{%- set ns = namespace(system=default_system) -%}
{%- for message in messages -%}
{%- if message.role == 'system' -%}
{%- set ns.system = message.content + '\\n\\n' -%}
{%- elif message.role == 'assistant' -%}
{{- '<|answer|>' + message.content + end -}}
{%- else -%}
{{- '<|prompt|>' + ns.system + message.content + end -}}
{%- set ns.system = '' -%}
{%- endif -%}
{%- endfor -%}
{{- '<|answer|>' -}}"""
#: Before a template: the system text that is recommended where a client sends none.
_SYSTEM = (
    "{{%- if messages[0]['role'] != 'system' -%}}"
    "{{%- set messages = [{{'role': 'system', 'content': {text}}}] + messages -%}}"
    "{{%- endif -%}}"
)


def loader(queue: int) -> Load:
    """Return what starts an engine; `queue` requests of each client may wait for it."""

    async def load(weights: Weights, plan: MemoryPlan) -> Engine:
        config = await asyncio.to_thread(configure, weights, plan)
        size = await asyncio.to_thread(file_size, weights.path)
        process, url = await EngineProcess.start(config, size)
        waiting = RequestQueue(plan.slots, plan.capacity, queue)
        engine = Engine(config.alias, url + config.prefix, config.key, waiting, process)
        try:
            await engine.learn()
        except BaseException:
            await asyncio.shield(engine.close())
            raise
        return engine

    return load


def configure(weights: Weights, plan: MemoryPlan) -> EngineConfig:
    """Return an engine's configuration; ConfigurationError for a bad file."""
    header = read_header(weights.path)
    if header.encoder and not plan.embeds:
        raise ConfigurationError(
            f"{weights.path} is not a chat model: it is for embeddings; choose another "
            "file"
        )
    memory = file_size(weights.path) + plan.capacity * header.cache_bytes_per_token
    projector = projector_of(weights.path)
    return EngineConfig(
        path=str(weights.path),
        alias=real_name(weights),
        key=random_key(),
        prefix="/" + random_key(),
        parent=os.getpid(),
        slots=plan.slots,
        context=plan.capacity,
        prompt_cache=plan.prompt_cache,
        memory=memory + plan.prompt_cache + _HEADROOM,
        length=DEFAULT_LENGTH,
        batch=min(plan.context, _TEXT) if plan.embeds else _BATCH,
        embeds=plan.embeds,
        pooling=_OWN_POOLING if header.pools else _MEAN_POOLING,
        threads=plan.threads,
        http_threads=plan.slots + SPARE_THREADS,
        mapped=is_immutable(weights.path),
        projector="" if projector is None else str(projector),
        template=_template(header, weights.system),
        special=header.chat_template is None,
        sampling=_sampling(header, weights.recommended, plan.capacity),
        stop=default_stops(header),
    )


def real_name(weights: Weights) -> str:
    """Return the name of what answers: a file's is that without its extension."""
    of_file = weights.demo or weights.path == Path(weights.model)
    return unsplit_name(weights.path.name)[:-5] if of_file else weights.model


def _template(header: Header, system: str) -> str:
    """Return the template that replaces the file's own; empty for that."""
    if header.chat_template is None:
        text = json.dumps(f"{system}\n\n" if system else "")
        return (
            f"{{%- set default_system = {text} -%}}"
            f"{{%- set end = {json.dumps(header.end_text)} -%}}{_RAW}"
        )
    if system:
        return _SYSTEM.format(text=json.dumps(system)) + header.chat_template
    return ""


def default_stops(header: Header) -> tuple[str, ...]:
    """Return what ends an answer of a model without a template."""
    if header.chat_template is not None:
        return ()
    known = (*RAW_MARKERS, header.end_text, "<|endoftext|>", "</s>")
    return tuple(dict.fromkeys(marker for marker in known if marker))


def _sampling(
    header: Header, recommended: Mapping[str, float], context: int
) -> dict[str, float]:
    """Return the defaults, which what the file recommends overrides in the engine."""
    values = {_SAMPLING[name]: value for name, value in recommended.items()}
    # -1 means all of it, which the engine does not understand.
    if values.get("penalty_last_n") == -1:
        values["penalty_last_n"] = context
    if header.sampling.get("penalty_last_n") == -1:
        values |= {"penalty_last_n": context, "user_sampling_config": _OWN_LAST_N}
    return values
