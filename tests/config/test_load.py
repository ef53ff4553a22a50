from pathlib import Path

import pytest

from node.config.default_file import default_file
from node.config.errors import ConfigFileError
from node.config.load import CONFIG_BYTES_MAX, CONFIG_NAME, load_config
from node.config.rules import split_listen
from node.config.sections import Columns, Config, LogFormat, LogLevel, Role
from node.config.table import keys


def _load(folder: Path, text: str, **environ: str) -> Config:
    (folder / CONFIG_NAME).write_text(text, encoding="utf-8")
    return load_config(folder, environ)


def _refused(folder: Path, text: str, **environ: str) -> str:
    with pytest.raises(ConfigFileError) as caught:
        _load(folder, text, **environ)
    line = str(caught.value)
    assert "\n" not in line
    return line.replace(f"{folder}/", "")


def test_empty_file_is_the_defaults(tmp_path: Path) -> None:
    assert _load(tmp_path, "") == Config(folder=tmp_path)


def test_default_file_is_the_defaults_and_stays_so_without_its_comments(tmp_path: Path) -> None:
    text = default_file()
    assert _load(tmp_path, text) == Config(folder=tmp_path)
    keyed = "\n".join(line.removeprefix("#") if " = " in line else line for line in _keys_of(text))
    assert _load(tmp_path, keyed) == Config(folder=tmp_path)


def _keys_of(text: str) -> list[str]:
    """Return the sections and the keys that are shown as comments."""
    return [
        line for line in text.splitlines() if line.startswith("[") or line[:1] + line[1:2] > "#A"
    ]


def test_default_file_explains_every_key_in_lines_of_one_hundred() -> None:
    lines = default_file().splitlines()
    assert max(map(len, lines)) <= 100
    for key in keys():
        (place,) = [
            number
            for number, line in enumerate(lines)
            if line.startswith(f"#{key.name} =") and _section_before(lines, number) == key.section
        ]
        assert lines[place - 1].startswith("# ")


def _section_before(lines: list[str], number: int) -> str:
    return next(line for line in reversed(lines[:number]) if line.startswith("[")).strip("[]")


def test_settings_are_set_in_the_default_file(tmp_path: Path) -> None:
    settings = {
        "node.roles": ("validator", "trainer"),
        "training.examples": 'a "quoted" \\ folder\x7f',
        "training.models": {"owner/name": "models/one"},
        "rpc.rate_per_s": 7,
        "logs.level": LogLevel.DEBUG,
        "training.columns": Columns(text="body", label="class"),
    }
    config = _load(tmp_path, default_file(settings))
    assert config.node.roles == (Role.VALIDATOR, Role.TRAINER)
    assert config.training.examples == settings["training.examples"]
    assert config.training.models == {"owner/name": "models/one"}
    assert (config.rpc.rate_per_s, config.logs.level) == (7, LogLevel.DEBUG)
    assert config.training.columns == Columns(text="body", label="class")


def test_paths_count_from_the_folder_of_the_node(tmp_path: Path) -> None:
    config = _load(tmp_path, '[keys]\nnode = "/elsewhere/node.key"')
    assert config.path(config.keys.node) == Path("/elsewhere/node.key")
    assert config.path(config.keys.account) == tmp_path / "keys" / "account.key"
    assert not config.has_role(Role.TRAINER)


@pytest.mark.parametrize(
    ("variable", "text", "value"),
    [
        ("HANSE_NODE_NAME", "other", "other"),
        ("HANSE_NODE_ROLES", "validator", (Role.VALIDATOR,)),
        ("HANSE_NODE_ROLES", "", ()),
        ("HANSE_NODE_ROLES", '["validator"]', (Role.VALIDATOR,)),
        ("HANSE_RPC_RATE_PER_S", "12", 12),
        ("HANSE_RPC_LISTEN", "[::1]:0", "[::1]:0"),
        ("HANSE_LOGS_FORMAT", "json", LogFormat.JSON),
        ("HANSE_TRAINING_TASKS", "[1, 2]", (1, 2)),
        ("HANSE_TRAINING_TASKS", "all", "all"),
        ("HANSE_TRAINING_MODELS", '{ "a/b" = "c" }', {"a/b": "c"}),
        (
            "HANSE_NETWORK_LISTEN",
            "/ip4/1.2.3.4/tcp/1,/ip6/::1/tcp/2",
            ("/ip4/1.2.3.4/tcp/1", "/ip6/::1/tcp/2"),
        ),
    ],
)
def test_variable_overrides_the_file(
    variable: str, text: str, value: object, tmp_path: Path
) -> None:
    config = _load(tmp_path, '[node]\nname = "one"\nroles = []', **{variable: text})
    key = next(key for key in keys() if key.variable == variable)
    assert getattr(getattr(config, key.section), key.name) == value


def test_variables_of_others_are_not_read(tmp_path: Path) -> None:
    config = _load(tmp_path, "", HANSE_NODE="http://127.0.0.1:1", HANSE_DEBUG="x", RPC_LISTEN="y")
    assert config == Config(folder=tmp_path)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[rpc]\n\nlistn = 1", "hanse.toml:3: unknown key rpc.listn; did you mean listen?"),
        ("[rcp]\nlisten = 1", "hanse.toml:1: unknown section [rcp]; did you mean rpc?"),
        (
            "rate_per_s = 1",
            "hanse.toml:1: rate_per_s stands outside of a section; it belongs to [rpc]; ",
        ),
        ("rpc = 1", "hanse.toml:1: rpc must be a section: write [rpc] on a line of its own"),
        (
            "rpc.rate_per_s = true",
            "hanse.toml:1: rpc.rate_per_s wants a whole number from 1 to 1000000, got True",
        ),
        (
            "[node]\nlisten = []",
            "hanse.toml:2: unknown key node.listen; did you mean network.listen?",
        ),
        # The document of a task names its classes.
        ('[training]\nlabel_names = ["a"]', "hanse.toml:2: unknown key training.label_names"),
        ("[rpc]\nrate_per_s = 'ten'", "wants a whole number from 1 to 1000000, got 'ten'"),
        ("[rpc]\nrate_per_s = 0", "wants a whole number from 1 to 1000000, got 0"),
        ("[rpc]\nrate_per_s = 1.5", "wants a whole number from 1 to 1000000, got 1.5"),
        ("[node]\nname = ''", "node.name wants 1 to 64 letters"),
        ("[node]\nname = 'a\\nb'", "node.name wants 1 to 64 letters"),
        ("[node]\nroles = ['validatr']", 'wants a list of "validator" and "trainer", got'),
        ("[node]\nroles = ['trainer', 'trainer']", "hanse.toml:2: node.roles names a role twice"),
        ("[storage]\nkept_history = -1", "wants a whole number, at least 0, got -1"),
        ("[worker]\ndevice = 'gpu'", "worker.device wants auto, cpu, cuda or cuda:N, got 'gpu'"),
        ("[worker]\nmodule = '-c'", "worker.module wants the name of a Python module"),
        ("[training]\ntasks = 'some'", 'wants "all" or a list of whole numbers, at least 0'),
        (
            "[training.columns]\ntxt = 'body'",
            "wants a table of text, label, prompt, context, answer",
        ),
        ("[training]\nmodels = ['a']", "training.models wants a table of texts, got ['a']"),
        ("[logs]\nlevel = 'loud'", 'wants one of "debug", "info", "warning", "error"'),
        ("[network]\ngenesis = ''", "network.genesis wants a text that is not empty"),
        ("[network]\nlisten = ['0.0.0.0:1']", "hanse.toml:2: network.listen holds an address that"),
        ("[network]\nannounce = ['here']", "network.announce holds an address that is none"),
        ("[network]\npeers = ['/ip4/1.2.3.4/tcp/1']", "wants addresses that end in /p2p/ID"),
        ("[rpc]\nlisten = 'here'", "rpc.listen wants HOST:PORT, as 127.0.0.1:26657"),
        ("[node]\nroles = ['trainer']", "training.examples is empty, but a trainer learns"),
        (
            "[node]\nroles = ['validator']\n[keys]\nconsensus = ''",
            "hanse.toml:4: keys.consensus is",
        ),
        ("[node]\nroles = ['validator']\n[keys]\naccount = ''", "keys.account is empty, but"),
        ("[node", "hanse.toml: Expected ']'"),
        ("[node]\nname = 'a'\nname = 'b'", "Cannot overwrite a value"),
        ("[logs]\nlevel = '" + "x" * 500 + "'", "x..."),
    ],
)
def test_what_is_wrong_is_one_line_that_names_the_place(
    text: str, line: str, tmp_path: Path
) -> None:
    assert line in _refused(tmp_path, text)


@pytest.mark.parametrize(
    ("variable", "text", "line"),
    [
        (
            "HANSE_RPC_LISTN",
            "1",
            "environment: unknown variable HANSE_RPC_LISTN; did you mean HANSE_RPC_LISTEN?",
        ),
        (
            "HANSE_RPC_RATE_PER_S",
            "ten",
            "HANSE_RPC_RATE_PER_S: rpc.rate_per_s wants a whole number",
        ),
        ("HANSE_RPC_RATE_PER_S", "1]", "HANSE_RPC_RATE_PER_S: rpc.rate_per_s wants a whole number"),
        ("HANSE_RPC_LISTEN", "here", "HANSE_RPC_LISTEN: rpc.listen wants HOST:PORT"),
        ("HANSE_NODE_ROLES", "miner", "HANSE_NODE_ROLES: node.roles wants a list of"),
    ],
)
def test_wrong_variable_is_named(variable: str, text: str, line: str, tmp_path: Path) -> None:
    assert _refused(tmp_path, "", **{variable: text}).startswith(line)


def test_nothing_alike_tells_what_there_is(tmp_path: Path) -> None:
    line = _refused(tmp_path, "[logs]\nxyzzy = 1")
    assert line == "hanse.toml:2: unknown key logs.xyzzy; there are level, format"


def test_file_that_is_not_there_tells_who_makes_one(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigFileError, match=r"hanse\.toml: there is no such file; `hanse node init`"
    ):
        load_config(tmp_path, {})


def test_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / CONFIG_NAME
    path.write_bytes(b"[node]\nname = '\xff'")
    with pytest.raises(ConfigFileError, match=r"hanse\.toml:2: not UTF-8"):
        load_config(tmp_path, {})
    path.write_bytes(b"#" * (CONFIG_BYTES_MAX + 1))
    with pytest.raises(ConfigFileError, match="more than 1048576 bytes are no configuration"):
        load_config(tmp_path, {})
    path.unlink()
    path.mkdir()
    with pytest.raises(ConfigFileError, match="cannot be read: Is a directory"):
        load_config(tmp_path, {})


@pytest.mark.parametrize(
    ("text", "address"),
    [("127.0.0.1:0", ("127.0.0.1", 0)), ("[::1]:80", ("::1", 80)), ("host:65535", ("host", 65535))],
)
def test_listen_is_host_and_port(text: str, address: tuple[str, int]) -> None:
    assert split_listen(text) == address


@pytest.mark.parametrize("text", ["", ":1", "host", "host:", "host:65536", "host:-1", "host:¹"])
def test_other_listen_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not HOST:PORT"):
        split_listen(text)


def test_every_key_has_its_own_variable_and_words() -> None:
    table = tuple(keys())
    assert len({key.variable for key in table}) == len(table)
    assert all(key.meaning.endswith(".") and key.wanted for key in table)
