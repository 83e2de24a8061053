"""The command `h2o-magic`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from huggingface_hub import constants

from h2o_magic.cli import main
from h2o_magic.config.models import MODELS, Package
from h2o_magic.server.run_settings import Settings
from h2o_magic.weights.cache import cache_folder
from tests.server.tiny_gguf import write_llama


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("h2o-magic 0.")


@pytest.mark.parametrize("arguments", [[], ["fly"], ["pull"], ["serve", "--port", "x"]])
def test_misuse_is_explained(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "usage: h2o-magic" in capsys.readouterr().err


def test_models_lists_what_answers(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    assert main(["models"]) == 0
    head, first, *_ = capsys.readouterr().out.splitlines()
    assert head.split() == ["model", "weights", "size", "licence"]
    assert first.split() == ["smollm2-135m", "built-in", "demo", "weights", "2.4", "MB"]


def test_models_says_what_stands_in_for_what_is_not_here(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    source = MODELS["smollm2-135m"].source
    assert isinstance(source, Package)
    folder = cache_folder(source.repository) / "snapshots" / source.version
    folder.mkdir(parents=True)
    write_llama(folder / source.pattern, licence="apache-2.0")
    assert main(["models"]) == 0
    _, first, *others, demo = capsys.readouterr().out.splitlines()
    label = ["SmolLM2-135M-Instruct", "Q4_1"]
    assert first.split() == ["smollm2-135m", *label, "303", "KB", "apache-2.0"]
    assert demo.split() == ["demo", "built-in", "demo", "weights", "2.4", "MB"]
    assert [line.split() for line in others] == [
        [name, "SmolLM2-135M", "stands", "in"]
        for name in MODELS
        if name not in ("smollm2-135m", "demo")
    ]


def test_pull_takes_a_file_as_it_is(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "mine.gguf"
    path.touch()
    assert main(["pull", "mine.gguf"]) == 0
    shown = capsys.readouterr()
    assert shown.out == f"{path.resolve()}\n"
    assert "is a local file: nothing to download" in shown.err


def test_rm_says_what_is_free_again(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("H2O_MAGIC_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    path = tmp_path / "models--owner--repo/snapshots/a/m.gguf"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"x" * 64_000)
    assert main(["rm", "owner/repo"]) == 0
    assert capsys.readouterr().out == "owner/repo: removed, 64 KB freed\n"
    assert not path.exists()
    assert main(["rm", "owner/repo"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_rm_leaves_a_file_of_the_user_alone_also_by_its_relative_path(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.gguf").touch()
    assert main(["rm", "mine.gguf"]) == 2
    assert "mine.gguf is a local file" in capsys.readouterr().err
    assert (tmp_path / "mine.gguf").exists()


def test_a_model_that_can_never_fit_is_refused_at_the_start(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_llama(tmp_path / "m.gguf", context=8192, layers=8)
    assert main(["serve", "--memory", "1MB", "--models", f"llama-13b,{path}"]) == 2
    said = capsys.readouterr().err
    assert "m.gguf can never fit: it needs " in said
    assert said.count("\n") == 1


@pytest.mark.parametrize("size", ["8", "lots", "-1GB"])
def test_memory_that_is_no_size_is_explained(
    size: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["serve", f"--memory={size}"])
    assert "such as 8GB, 7.5GiB or 500MB" in capsys.readouterr().err


def test_an_unknown_model_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pull", "lama-13b"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("package", ["aiohttp", "xllamacpp", "psutil"])
def test_without_the_extra_one_line_says_what_to_install(package: str) -> None:
    code = (
        f"import sys; sys.modules[{package!r}] = None; "
        "from h2o_magic.cli import main; sys.exit(main(['serve']))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert run.returncode == 2
    said = run.stderr.decode()
    assert said.startswith("the local server needs packages that are not installed: ")
    assert '`pip install "aiohttp' in said
    assert "xllamacpp==" in said
    assert run.stderr.count(b"\n") == 1


@pytest.mark.parametrize(
    ("given", "variable", "minutes"),
    [
        ([], "", 15.0),
        ([], "30", 30.0),
        (["--idle-minutes=5"], "30", 5.0),
        (["--token-file=t"], "30", 0.0),
        (["--token-file=t", "--idle-minutes=5"], "", 5.0),
    ],
)
def test_the_idle_end_is_what_is_given_else_the_setting(
    given: list[str], variable: str, minutes: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    run: list[Settings] = []
    monkeypatch.setattr("h2o_magic.cli.serve.serve", run.append)
    monkeypatch.setenv("H2O_MAGIC_SERVER_IDLE_MINUTES", variable)
    assert main(["serve", *given]) == 0
    assert [settings.idle_minutes for settings in run] == [minutes]


def test_an_idle_end_in_the_environment_that_is_none_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("H2O_MAGIC_SERVER_IDLE_MINUTES", "soon")
    assert main(["serve"]) == 2
    assert capsys.readouterr().err == (
        "`server_idle_minutes` must be a number of minutes, 0 or above, got 'soon'\n"
    )


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--port", "-1", "--port to be 0 (a free one) to 65535, got -1"),
        ("--port", "65536", "got 65536"),
        ("--slots", "0", "--slots to be 1 to 128, got 0"),
        ("--slots", "129", "got 129"),
        ("--idle-minutes", "-1", "--idle-minutes to be 0 (never) or more, got -1.0"),
        ("--idle-minutes", "nan", "got nan"),
        ("--idle-minutes", "inf", "got inf"),
    ],
)
def test_a_number_out_of_its_range_is_one_line(
    option: str,
    value: str,
    words: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "runtime.json"
    assert main(["serve", f"--runtime-file={file}", f"{option}={value}"]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1
    assert not file.exists()


@pytest.mark.parametrize("place", ["folder", "file/below"])
@pytest.mark.parametrize("kind", ["runtime", "log"])
def test_a_file_that_cannot_be_written_is_one_line(
    kind: str, place: str, tmp_path: Path
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    paths = {"runtime": tmp_path / "runtime.json", "log": tmp_path / "server.log"}
    paths[kind] = tmp_path / place
    command = [sys.executable, "-m", "h2o_magic.cli", "serve"]
    command += [f"--{key}-file={path}" for key, path in paths.items()]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 2
    assert run.stderr.count("\n") == 1
    assert f"cannot write the {kind} file {tmp_path / place}: " in run.stderr
    assert not (tmp_path / "runtime.json").exists()
    assert list(tmp_path.glob(".*")) == []


def test_a_defect_of_our_own_is_not_passed_off_as_a_missing_part(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "h2o_magic.cli.models", None)
    with pytest.raises(ModuleNotFoundError):
        main(["models"])


def test_importing_the_command_imports_no_server() -> None:
    code = (
        "import sys, h2o_magic.cli; "
        "print([m for m in sys.modules if 'server' in m or 'aiohttp' in m])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert "h2o_magic.server" not in run.stdout.decode()
    assert "aiohttp" not in run.stdout.decode()


@pytest.mark.parametrize("command", [["models"], ["rm", "smollm2-135m"]])
def test_a_cache_that_cannot_be_read_is_told_in_one_line(
    command: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "loop").symlink_to("loop")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "loop"))
    assert main(command) == (0 if command == ["models"] else 2)
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{tmp_path / 'loop'} cannot be read (Too many levels" in line
    assert "set HF_HUB_CACHE" in line


@pytest.mark.parametrize("command", ["pull", "rm"])
@pytest.mark.parametrize("name", ["x" * 300, "a\0b", "~no-such-user/m.gguf"])
def test_a_name_that_can_be_no_path_is_refused_in_one_line(
    command: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, name]) == 2
    assert capsys.readouterr().err.count("\n") == 1
