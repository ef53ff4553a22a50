import json
import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from node.execution.local_chain import key_named
from node.ledger.account import ACCOUNT_CODEC, account_key, read_account
from node.ledger.chain import CHAIN_CODEC, CHAIN_KEY, read_chain
from node.ledger.transaction import Transfer
from node.storage.ledger_schema import LEDGER_SCHEMA
from node.storage.state_tables import CHUNKS
from primitives.ids import Address, Grain, Height
from tests.storage.ledger_places import DiskChain, ledger_at
from tests.storage.places import image_of, opened

ALICE = Address(key_named("alice").public.raw)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("node") / "ledger"
    with ledger_at(folder) as ledger:
        chain = DiskChain(ledger)
        chain.send(Transfer(chain.account("bob"), Grain(5)))
        chain.send(Transfer(chain.account("carol"), Grain(7)), sender="bob")
        chain.advance(1_000)
    return folder


@pytest.fixture
def folder(original: Path, tmp_path: Path) -> Path:
    """Return a ledger with three commits after genesis."""
    return image_of(original, tmp_path / "ledger")


def _doctor(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["node", "doctor", *map(str, arguments)])


def _flip_in_chunk(folder: Path) -> bytes:
    """Turn one bit of the first chunk where it is on disk; return the key of the chunk."""
    with opened(folder, schema=LEDGER_SCHEMA) as (environment, _), environment.snapshot() as view:
        key, sealed = next(iter(view.scan_sealed(CHUNKS)))
    path = folder / "data.mdb"
    content = bytearray(path.read_bytes())
    content[content.index(sealed) + len(sealed) // 2] ^= 0x10
    path.write_bytes(content)
    return key


def _enrich(folder: Path) -> int:
    """Give an account a grain of nowhere, in a commit of which all else is right."""
    with ledger_at(folder) as ledger:
        chain = DiskChain(ledger)
        height = Height(chain.height + 1)
        record = msgspec.structs.replace(read_chain(chain.state), height=height)
        held = read_account(chain.state, ALICE)
        richer = msgspec.structs.replace(held, balance=Grain(held.balance + 1))
        changes = {
            CHAIN_KEY: CHAIN_CODEC.encode(record),
            account_key(ALICE): ACCOUNT_CODEC.encode(richer),
        }
        ledger.store.commit(height, changes, receipts=(), record=b"")
        return read_chain(chain.state).supply.circulating


def test_sound_ledger_is_told_with_its_tables_height_root_and_supply(folder: Path) -> None:
    result = _doctor(folder)
    assert result.exit_code == 0, result.output
    assert not result.stderr
    assert re.search(r"^state_versions +4 +\d+$", result.stdout, re.MULTILINE)
    last = result.stdout.splitlines()[-1]
    assert re.fullmatch(r"sound: height 3, state root [0-9a-f]{64}, supply \d+, staked \d+", last)


def test_folder_of_a_node_stands_for_its_ledger(folder: Path) -> None:
    result = _doctor(folder.parent, "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["folder"] == str(folder)


def test_sound_ledger_as_json_is_one_object(folder: Path) -> None:
    result = _doctor(folder, "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert (found["sound"], found["live"], found["damages"]) == (True, False, [])
    assert found["stamp"]["purpose"] == "ledger"
    assert found["state"]["height"] == "3"
    tables = {table["name"]: table["records"] for table in found["tables"]}
    assert tables["state_versions"] == tables["receipt_counts"] == 4
    assert {table.name for table in LEDGER_SCHEMA.tables} <= tables.keys()


def test_flipped_byte_is_named_with_environment_table_and_key(folder: Path) -> None:
    key = _flip_in_chunk(folder)
    result = _doctor(folder)
    assert result.exit_code == 1
    line = f"ledger state_chunks {key.hex()}: the checksum does not match"
    assert line in result.stdout.splitlines()
    assert "sound" not in result.stdout


def test_money_out_of_nowhere_is_named_although_every_checksum_is_right(folder: Path) -> None:
    supply = _enrich(folder)
    result = _doctor(folder, "--json")
    assert result.exit_code == 1
    (damage,) = json.loads(result.stdout)["damages"]
    assert damage == {
        "environment": "ledger",
        "table": "state_chunks",
        "key": "",
        "reason": "state at height 4: "
        f"the state holds {supply + 1} grains, the records say {supply}",
    }


def test_ledger_of_a_running_node_is_examined(folder: Path) -> None:
    with ledger_at(folder):
        result = _doctor(folder)
    assert result.exit_code == 0, result.output
    assert "a node is running here" in result.stdout


def test_new_ledger_is_sound(tmp_path: Path) -> None:
    with ledger_at(tmp_path):
        pass
    result = _doctor(tmp_path)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[-1] == "sound: nothing was committed yet"


def test_database_of_another_purpose_is_named(tmp_path: Path) -> None:
    with opened(tmp_path):
        pass
    result = _doctor(tmp_path)
    assert result.exit_code == 1
    assert "damaged: 1 finding\n" in result.stdout


@pytest.mark.parametrize("name", ["", "nothing"])
def test_folder_without_a_database_is_one_line_and_stays_as_it_is(
    name: str, tmp_path: Path
) -> None:
    result = _doctor(tmp_path / name)
    assert result.exit_code == 1
    assert result.stderr == f"error: there is no database at {tmp_path / name}\n"
    assert not list(tmp_path.iterdir())


def test_commands_do_not_load_the_node_before_they_run() -> None:
    program = (
        "import sys\n"
        "from typer.testing import CliRunner\n"
        "from cli.main import app\n"
        "assert CliRunner().invoke(app, ['node', 'doctor', '--help']).exit_code == 0\n"
        "print(*(name for name in sys.modules if name.split('.')[0] == 'node'))\n"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, text=True
    )
    assert not loaded.stdout.strip()
