"""`create_completion`, and the defects of the original provider that stay dead."""

from __future__ import annotations

import inspect
import json
import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import h2o_magic
from h2o_magic.backends import gptgm
from h2o_magic.backends.gptgm import create_completion
from h2o_magic.backends.http import Endpoint, Timeouts
from h2o_magic.backends.retry import RetryPolicy
from h2o_magic.config.parameters import PARAMETERS
from h2o_magic.errors import (
    ConfigurationError,
    ConnectionFailedError,
    DemoWeightsWarning,
    GenerationError,
    IncompleteAnswerError,
    MessagesError,
    ParameterError,
    ReplayMissError,
    StatusError,
    TimedOutError,
)
from tests.backends.scripted import (
    DROP,
    Answer,
    GptGmScript,
    ScriptedServer,
    document,
    events,
    final,
    recorded,
    serving,
    token,
)

ID = "6b0325b8a8e89309e9596fd6"
HI = [{"role": "user", "content": "Hi"}]
DIALOGUE = [
    {"role": "system", "content": "Be short."},
    {"role": "user", "content": "One?"},
    {"role": "assistant", "content": "1"},
    {"role": "user", "content": "Two?"},
]
MODEL_IDS = {
    "falcon-7b": "h2oai/h2ogpt-gm-oasst1-en-2048-falcon-7b-v3",
    "falcon-40b": "h2oai/h2ogpt-gm-oasst1-en-2048-falcon-40b-v1",
    "llama-13b": "h2oai/h2ogpt-gm-oasst1-en-2048-open-llama-13b",
}


@pytest.fixture
def host() -> Iterator[ScriptedServer]:
    with serving(GptGmScript()) as server:
        yield server


def sent(server: ScriptedServer) -> Any:
    return server.asked(f"POST /conversation/{ID}")[-1].json


def whole(server: ScriptedServer, messages: Any = HI, **kwargs: Any) -> str:
    return create_completion(
        "falcon-40b", messages, False, base_url=server.url, **kwargs
    )


def test_it_has_its_old_name_too() -> None:
    assert gptgm._create_completion is create_completion
    assert h2o_magic.create_completion is create_completion
    assert h2o_magic._create_completion is create_completion


def test_the_calls_come_in_the_order_of_the_protocol(host: ScriptedServer) -> None:
    assert whole(host) == "A Jupyter magic is a command that starts with `%`."
    assert host.calls() == [
        "GET /",
        "POST /settings",
        "POST /conversation",
        f"POST /conversation/{ID}",
        f"DELETE /conversation/{ID}",
    ]
    jar = [request.headers.get("cookie") for request in host.requests]
    assert jar[0] is None
    assert all(jar[1:])


def test_the_body_is_that_of_the_original_client(host: ScriptedServer) -> None:
    whole(host)
    body = sent(host)
    options = body.pop("options")
    assert body == {
        "inputs": body["inputs"],
        "parameters": {
            "temperature": 0.4,
            "truncate": 2048,
            "max_new_tokens": 1024,
            "do_sample": True,
            "repetition_penalty": 1.2,
            "return_full_text": False,
        },
        "stream": True,
    }
    assert uuid.UUID(options.pop("id")) != uuid.UUID(options.pop("response_id"))
    assert options == {"is_retry": False, "use_cache": False, "web_search_id": ""}


def test_the_conversation_is_one_text_made_of_the_messages(
    host: ScriptedServer,
) -> None:
    whole(host, DIALOGUE)
    instruction, *lines = sent(host)["inputs"].splitlines()
    assert "respond to the latest message" in instruction.lower()
    assert lines == [
        "system: Be short.",
        "user: One?",
        "assistant: 1",
        "user: Two?",
        "assistant:",
    ]


@pytest.mark.parametrize("messages", [HI, DIALOGUE])
def test_a_server_that_takes_messages_gets_them_as_they_are(
    messages: list[dict[str, str]], host: ScriptedServer
) -> None:
    count = len(messages) - 1
    host.script = GptGmScript().then(
        "create", document({"conversationId": ID, "messages": count})
    )
    whole(host, messages)
    assert host.asked("POST /conversation")[0].json["messages"] == messages[:-1]
    assert sent(host)["inputs"] == messages[-1]["content"]


def test_tokens_come_as_they_arrive(host: ScriptedServer) -> None:
    held = events(token("a"), token("b"), end="hold")
    host.script = GptGmScript(held)
    tokens = create_completion("falcon-40b", HI, base_url=host.url)
    came = next(tokens)  # those that came together are one text
    while came != "ab":
        came += next(tokens)
    tokens.close()  # type: ignore[attr-defined]
    assert host.left.acquire(timeout=60)
    assert host.calls()[-2:] == [
        f"POST /conversation/{ID}/stop-generating",
        f"DELETE /conversation/{ID}",
    ]


def test_stream_false_gives_the_whole_text_and_true_its_tokens(
    host: ScriptedServer,
) -> None:
    tokens = create_completion("falcon-40b", HI, True, base_url=host.url)
    assert inspect.isgenerator(tokens)
    text = whole(host)
    assert isinstance(text, str)
    assert "".join(tokens) == text


@pytest.mark.parametrize("name", MODEL_IDS)
def test_short_names_stand_for_the_ids_of_the_service(
    name: str, host: ScriptedServer
) -> None:
    for model in (name, MODEL_IDS[name]):
        create_completion(model, HI, False, base_url=host.url)
        settings = host.asked("POST /settings")[-1].form
        assert settings["activeModel"] == [MODEL_IDS[name]]
        assert host.asked("POST /conversation")[-1].json["model"] == MODEL_IDS[name]


def test_any_other_model_is_asked_for_by_its_name(host: ScriptedServer) -> None:
    create_completion("my/model", HI, False, base_url=host.url)
    assert host.asked("POST /conversation")[-1].json["model"] == "my/model"


@pytest.mark.parametrize("model", ["", " ", None, 7])
def test_no_model_is_an_error(model: Any) -> None:
    with pytest.raises(ParameterError, match="name of a model"):
        create_completion(model, HI, base_url="http://127.0.0.1:1")


VALUES: dict[str, Any] = {
    "temperature": 0.7,
    "top_p": 0.9,
    "top_k": 5,
    "typical_p": 0.8,
    "repetition_penalty": 1.5,
    "max_new_tokens": 7,
    "truncate": 100,
    "do_sample": False,
    "seed": 3,
    "stop": ["END"],
    "return_full_text": True,
}


@pytest.mark.parametrize("name", [p.name for p in PARAMETERS.values() if p.gptgm])
def test_each_parameter_is_honoured(name: str, host: ScriptedServer) -> None:
    whole(host, **{name: VALUES[name]})
    assert sent(host)["parameters"][name] == VALUES[name]


def test_temperature_0_is_said_in_the_words_of_the_service(
    host: ScriptedServer,
) -> None:
    whole(host, temperature=0, top_p=0.9, top_k=5, typical_p=0.5, seed=3)
    parameters = sent(host)["parameters"]
    assert (parameters["do_sample"], parameters["seed"]) == (False, 3)
    assert {"temperature", "top_p", "top_k", "typical_p"}.isdisjoint(parameters)


def test_temperature_0_and_a_wish_to_sample_are_refused() -> None:
    with pytest.raises(ParameterError, match="contradicts `do_sample` true"):
        create_completion("llama-13b", HI, temperature=0, do_sample=True)


def test_top_p_1_which_the_service_refuses_is_not_sent(host: ScriptedServer) -> None:
    whole(host, top_p=1)
    assert "top_p" not in sent(host)["parameters"]


def test_none_leaves_a_parameter_to_the_server(host: ScriptedServer) -> None:
    whole(host, temperature=None)
    assert "temperature" not in sent(host)["parameters"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("id", "859eef29-07e8-4bcf-a1a0-f42906677717"),
        ("response_id", uuid.UUID("859eef29-07e8-4bcf-a1a0-f42906677717")),
        ("is_retry", True),
        ("use_cache", True),
        ("web_search_id", "6b0325b8a8e89309e9596fd6"),
        ("strict", True),
    ],
)
def test_each_option_is_honoured(name: str, value: Any, host: ScriptedServer) -> None:
    whole(host, **{name: value})
    expected = str(value) if isinstance(value, uuid.UUID) else value
    assert sent(host)["options"][name] == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("id", "7"),
        ("id", 7),
        ("response_id", ""),
        ("is_retry", "false"),
        ("use_cache", 0),
        ("strict", "false"),
        ("share", "false"),
        ("share", 1),
        ("stream", "false"),
        ("stream", None),
        ("timeouts", 5),
        ("timeouts", None),
        ("retry", 3),
        ("web_search_id", None),
        ("temperature", -0.1),
        ("temperature", float("nan")),
        ("temperature", "0.4"),
        ("max_new_tokens", True),
        ("stop", ["a", "b", "c", "d", "e"]),
    ],
)
def test_a_wrong_value_is_refused_before_anything_is_sent(
    name: str, value: Any
) -> None:
    with pytest.raises(ParameterError, match=f"`{name}`"):
        create_completion("llama-13b", HI, **{name: value})


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("temprature", "temperature"),
        ("max_tokens", "max_new_tokens"),
        ("baseurl", "base_url"),
        ("web_search", "web_search_id"),
        ("responseid", "response_id"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest(name: str, nearest: str) -> None:
    with pytest.raises(ParameterError, match=f"{name!r}: did you mean {nearest!r}"):
        create_completion("llama-13b", HI, **{name: 1})


def test_a_name_like_no_other_is_refused_with_all_names() -> None:
    with pytest.raises(ParameterError, match=r"known: base_url, .*web_search_id"):
        create_completion("llama-13b", HI, auth="x")


@pytest.mark.parametrize(
    "messages",
    [[], "Hi", {"role": "user"}, [{"role": "user", "content": None}], None, 7, [None]],
)
def test_wrong_messages_are_refused_before_anything_is_sent(messages: Any) -> None:
    with pytest.raises(MessagesError):
        create_completion("llama-13b", messages)


def test_the_callers_messages_are_not_changed(host: ScriptedServer) -> None:
    messages = [dict(message) for message in DIALOGUE]
    whole(host, messages)
    assert messages == DIALOGUE


def test_an_error_of_the_server_is_raised_in_its_words(
    host: ScriptedServer,
) -> None:
    host.script = GptGmScript(recorded("error-validation-in-stream"))
    with pytest.raises(
        GenerationError, match="`temperature` must be strictly positive"
    ):
        whole(host)
    assert host.calls()[-1] == f"DELETE /conversation/{ID}"


def test_a_page_that_is_not_found_is_an_error(host: ScriptedServer) -> None:
    host.script = script = GptGmScript()
    script.usual["settings"] = recorded("no-such-route")
    with pytest.raises(StatusError, match="no gpt-gm server found") as caught:
        whole(host)
    assert caught.value.status == 404


def test_a_start_page_that_fails_does_no_harm(host: ScriptedServer) -> None:
    host.script = script = GptGmScript()
    script.usual["page"] = recorded("no-such-route")
    assert whole(host)


def test_text_is_utf8_whatever_the_server_calls_it(host: ScriptedServer) -> None:
    kind = "text/event-stream"
    answer = events('data:{"generated_text":"é日"}'.encode(), content_type=kind)
    host.script = GptGmScript(answer)
    assert whole(host) == "é日"


def test_the_last_line_may_end_without_a_line_end(host: ScriptedServer) -> None:
    host.script = GptGmScript(events(b'data:{"generated_text":"a}"}'))
    assert whole(host) == "a}"


def test_a_long_final_event_is_read(host: ScriptedServer) -> None:
    text = "word " * 2**18
    host.script = GptGmScript(events(token("word"), final(text)))
    assert whole(host) == text.strip()


def test_the_referer_is_the_servers_own_page(host: ScriptedServer) -> None:
    whole(host)
    assert {r.headers["referer"] for r in host.requests} == {f"{host.url}/"}


def test_stopping_looks_at_no_token_text(host: ScriptedServer) -> None:
    documents = [token(" a"), token("<|endoftext|>"), token(" b"), final(" a<|e|> b")]
    host.script = GptGmScript(events(*documents))
    assert "".join(create_completion("falcon-40b", HI, base_url=host.url)).endswith("b")


def test_the_first_token_has_no_leading_space(host: ScriptedServer) -> None:
    tokens = create_completion("falcon-40b", HI, base_url=host.url)
    assert next(tokens).startswith("A")
    tokens.close()  # type: ignore[attr-defined]


def test_the_session_is_closed_and_the_agent_honest(host: ScriptedServer) -> None:
    whole(host)
    agents = {request.headers["user-agent"] for request in host.requests}
    assert agents == {f"h2o-magic/{h2o_magic.__version__}"}
    assert not any("sec-ch-ua" in request.headers for request in host.requests)


@pytest.mark.parametrize("share", [False, True])
def test_sharing_is_off_unless_asked_for(share: bool, host: ScriptedServer) -> None:
    whole(host, share=share)
    form = host.asked("POST /settings")[0].form
    assert ("shareConversationsWithModelAuthors" in form) == share


def test_no_wait_is_without_end(host: ScriptedServer) -> None:
    host.script = GptGmScript(events(token("a"), end="hold"))
    tokens = create_completion(
        "falcon-40b", HI, base_url=host.url, timeouts=Timeouts(idle=0.05)
    )
    assert next(tokens) == "a"
    with pytest.raises(TimedOutError):
        next(tokens)


def test_an_answer_without_its_end_is_an_error_after_its_tokens(
    host: ScriptedServer,
) -> None:
    host.script = GptGmScript(recorded("end-without-final"))
    got = []
    with pytest.raises(IncompleteAnswerError) as caught:  # noqa: PT012
        for text in create_completion("falcon-40b", HI, base_url=host.url):
            got.append(text)
    assert "".join(got) == caught.value.partial == "This was cut"


def test_a_prompt_that_was_asked_for_is_in_the_whole_text_only(
    host: ScriptedServer,
) -> None:
    answer = events(token(" a"), final("<|prompt|>Hi</s><|answer|> a"))
    host.script = script = GptGmScript()
    script.usual["generate"] = answer
    text = whole(host, return_full_text=True)
    assert text == "<|prompt|>Hi</s><|answer|> a"
    tokens = create_completion(
        "falcon-40b", HI, base_url=host.url, return_full_text=True
    )
    assert list(tokens) == ["a"]


def test_nothing_is_sent_before_the_first_token_is_asked_for(
    host: ScriptedServer,
) -> None:
    create_completion("falcon-40b", HI, base_url=host.url)
    assert host.requests == []


def test_a_busy_server_is_asked_again(host: ScriptedServer) -> None:
    host.script = GptGmScript(recorded("error-overloaded-429"))
    assert whole(host, retry=RetryPolicy(wait=0.001))


def test_a_path_prefix_is_kept(host: ScriptedServer) -> None:
    create_completion("falcon-40b", HI, False, base_url=f"{host.url}/chat/")
    assert [c.split()[1][:5] for c in host.calls()] == ["/chat"] * 5
    assert host.requests[-1].headers["referer"] == f"{host.url}/chat/"


def test_the_default_server_is_the_local_one_with_its_token(
    host: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def locate() -> Endpoint:
        asked.append(1)
        return Endpoint(host.url, "tok-1")

    monkeypatch.setattr("h2o_magic.backends.local.locate.find_or_start", locate)
    tokens = create_completion("llama-13b", HI)
    assert asked == []
    assert "".join(tokens)
    assert asked == [1]
    assert {r.headers["authorization"] for r in host.requests} == {"Bearer tok-1"}


def test_a_local_server_that_does_not_start_is_reported_as_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []
    failure = ConnectionFailedError("the local server ended at once")

    def locate() -> Endpoint:
        asked.append(1)
        raise failure

    monkeypatch.setattr("h2o_magic.backends.local.locate.find_or_start", locate)
    with pytest.raises(ConnectionFailedError) as caught:
        create_completion("llama-13b", HI, False)
    assert caught.value is failure
    assert asked == [1]


def test_the_local_server_is_looked_for_again_if_it_died(
    host: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(lambda _: DROP) as dead:
        places = [Endpoint(dead.url, "a"), Endpoint(host.url, "b")]
        monkeypatch.setattr(
            "h2o_magic.backends.local.locate.find_or_start", lambda: places.pop(0)
        )
        assert create_completion("llama-13b", HI, False)


@pytest.mark.parametrize(
    "kwargs",
    [
        {"token": "t"},
        {"base_url": "x"},
        {"base_url": 7},
        {"base_url": "http://h", "token": "a\nb"},
        {"base_url": "http://h", "token": 7},
    ],
)
def test_an_address_that_cannot_be_used_is_refused_at_once(kwargs: Any) -> None:
    with pytest.raises(ConfigurationError):
        create_completion("llama-13b", HI, **kwargs)


# --- stored answers


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, where nothing says whether answers are stored."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("H2O_MAGIC_REPLAY", raising=False)
    return tmp_path


def asked_again(host: ScriptedServer, **kwargs: Any) -> bool:
    """Return whether a question is sent although ``Hi`` has been answered before."""
    options: dict[str, Any] = {"replay": "answers/", "base_url": host.url, **kwargs}
    sent_before = len(host.requests)
    assert create_completion(options.pop("model", "falcon-40b"), HI, False, **options)
    return len(host.requests) > sent_before


@pytest.mark.parametrize(
    ("change", "is_another"),
    [
        *(({name: True}, True) for name in ("is_retry", "use_cache", "strict")),
        ({"web_search_id": "6b0325b8a8e89309e9596fd6"}, True),
        ({"model": "falcon-7b"}, True),
        ({"temperature": 0.5}, True),
        *(({name: uuid.UUID(int=7)}, False) for name in ("id", "response_id")),
        ({"share": True}, False),
    ],
    ids=str,
)
def test_a_stored_answer_is_given_to_the_same_question_only(
    change: dict[str, Any], is_another: bool, host: ScriptedServer, here: Path
) -> None:
    assert [asked_again(host) for _ in range(2)] == [True, False]
    assert asked_again(host, **change) == is_another
    assert not asked_again(host, **change)


@pytest.mark.parametrize("replay", ["answers/", Path("answers")], ids=repr)
def test_only_in_the_environment_refuses_what_is_not_stored(
    replay: Any, host: ScriptedServer, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert asked_again(host, replay=here / "answers")
    monkeypatch.setenv("H2O_MAGIC_REPLAY", "only")
    sent_before = len(host.requests)
    assert not asked_again(host, replay=replay)
    with pytest.raises(ReplayMissError, match="temperature"):
        asked_again(host, replay=replay, temperature=0.5)
    assert len(host.requests) == sent_before


def test_no_key_is_in_a_stored_answer(host: ScriptedServer, here: Path) -> None:
    key = "correct-horse-battery-staple"
    host.script = GptGmScript(events(token(f" It is {key}."), final(f" It is {key}.")))
    asked = [{"role": "user", "content": f"Is it {key}?"}]
    whole(host, asked, token=key, replay="answers/")
    (file,) = (here / "answers").glob("??/*.json")
    stored = json.loads(file.read_bytes())
    said = stored["request"]["question"], stored["text"]
    assert said == ("Is it ***?", "It is ***.")
    assert key not in file.read_text("utf-8")


# --- demo weights


WARNING = (
    "built-in demo weights answered: llama-13b is not installed; `h2o-magic pull "
    "llama-13b` downloads it, strict=True makes this an error"
)


def from_demo_weights(*generate: Answer, model: str = "llama-13b") -> GptGmScript:
    ours = {"model": model, "weights": "built-in demo weights", "demo": True}
    script = GptGmScript(*generate)
    created = {"conversationId": ID, "messages": 0, "h2o_magic": ours}
    script.usual["create"] = document(created)
    return script


@pytest.fixture
def untold(monkeypatch: pytest.MonkeyPatch) -> None:
    """No model was warned of yet, as in a process that begins."""
    monkeypatch.setattr("h2o_magic.backends.gptgm.completion._warned", set())


@pytest.mark.usefixtures("untold")
@pytest.mark.parametrize("stream", [False, True])
def test_demo_weights_are_warned_of_once_for_each_model(
    stream: bool, host: ScriptedServer
) -> None:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        for model in ("llama-13b", "llama-13b", "falcon-7b"):
            host.script = from_demo_weights(model=model)
            list(create_completion(model, HI, stream, base_url=host.url))
    assert [str(warning.message) for warning in told] == [
        WARNING,
        WARNING.replace("llama-13b", "falcon-7b"),
    ]
    assert {warning.category for warning in told} == {DemoWeightsWarning}
    assert {warning.filename for warning in told} == {__file__}


@pytest.mark.usefixtures("untold")
def test_another_model_that_stands_in_is_warned_of_by_the_name_that_was_asked_for(
    host: ScriptedServer,
) -> None:
    ours = {"model": "smollm2-135m", "weights": "w", "stands_in_for": "falcon-7b"}
    host.script = script = GptGmScript()
    script.usual["create"] = document({"conversationId": ID, "h2o_magic": ours})
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        whole(host)
        whole(host)
    (warning,) = told
    assert str(warning.message) == (
        "SmolLM2-135M answered: falcon-7b is not installed; `h2o-magic pull "
        "falcon-7b` downloads it, strict=True makes this an error"
    )


@pytest.mark.usefixtures("untold")
def test_the_usual_filter_shows_the_warning(host: ScriptedServer) -> None:
    host.script = from_demo_weights()
    with warnings.catch_warnings(record=True) as told:
        warnings.resetwarnings()
        whole(host)
        whole(host)
    assert [warning.category for warning in told] == [DemoWeightsWarning]


@pytest.mark.usefixtures("untold")
def test_a_warning_that_is_made_an_error_frees_the_server(
    host: ScriptedServer,
) -> None:
    host.script = from_demo_weights()
    for _ in range(2):  # it stays one
        with pytest.raises(DemoWeightsWarning):
            whole(host)
        assert host.calls()[-1] == f"DELETE /conversation/{ID}"


@pytest.mark.usefixtures("untold")
def test_demo_weights_that_did_not_answer_are_not_warned_of(
    host: ScriptedServer,
) -> None:
    host.script = from_demo_weights(recorded("error-validation-422"))
    with pytest.raises(StatusError):
        whole(host, strict=True)


@pytest.mark.usefixtures("untold")
def test_real_weights_are_not_warned_of(host: ScriptedServer) -> None:
    ours = {"model": "llama-13b", "weights": "llama-13b.gguf", "demo": False}
    host.script = script = GptGmScript()
    script.usual["create"] = document({"conversationId": ID, "h2o_magic": ours})
    assert whole(host)


def test_what_the_wire_says_is_that_of_the_original_client_unless_strict(
    host: ScriptedServer,
) -> None:
    whole(host)
    assert "strict" not in sent(host)["options"]
