"""Find what a text names: a hash, a did:key, a height, a task, somebody by name.

Guards: the work is bounded whatever is asked for, and nothing is found by looking through state:
only indexes that grow as they are asked, and what stands at one key.
"""

import re
from collections.abc import Callable, Iterator
from typing import Final

from node.blobs.manifest import BlobId
from node.federation.views import FederationReader
from node.ledger.account import read_account
from node.ledger.contract import CONTRACT_NONCE, read_contract
from node.rpc.commit_row import CommitRow
from node.rpc.context import NodeContext
from node.rpc.errors import BadRequestError
from node.rpc.participant_index import ParticipantIndex
from node.rpc.participant_schemas import Hit
from node.rpc.texts import address_text, parse_address
from primitives.errors import HanseError
from primitives.ids import Address, Digest

HITS_MAX: Final = 20
NAMES_MAX: Final = 10
TITLES_MAX: Final = 8
_HASH: Final = re.compile(r"(0x)?([0-9a-fA-F]{64})")
_NUMBER: Final = re.compile(r"[0-9]{1,15}")
_DID: Final = "did:key:"


class SearchDesk:
    """Searches one node; ask it in a thread."""

    def __init__(self, context: NodeContext, *, people: ParticipantIndex, row: CommitRow) -> None:
        self._context = context
        self._people = people
        self._row = row

    def search(self, text: str, *, federation: FederationReader) -> list[Hit]:
        """Return what the text may name, the most exact first."""
        wanted = text.strip()
        named = _HASH.fullmatch(wanted)
        if named is not None:
            found = self._of_hash(named[2].lower())
        elif wanted.startswith(_DID):
            found = self._of_account(wanted)
        elif _NUMBER.fullmatch(wanted):
            found = self._of_number(int(wanted), federation)
        else:
            found = iter(())
        hits = [hit for _, hit in zip(range(HITS_MAX), found, strict=False)]
        if not named and wanted:
            hits += self._of_words(wanted.casefold())
        return hits[:HITS_MAX]

    def _of_hash(self, name: str) -> Iterator[Hit]:
        chain = self._context.chain
        raw = bytes.fromhex(name)
        place = chain.find_transaction(Digest(raw))
        if place is not None:
            yield Hit(
                kind="transaction",
                title=f"Transaction {name[:12]}",
                note=f"in commit {place[0]}",
                path=f"#/tx/{name}",
            )
        height = self._row.find(name)
        if height is not None:
            note = "its digest, checkpoint, state root or receipts root"
            yield Hit(kind="commit", title=f"Commit {height}", note=note, path=f"#/commit/{height}")
        yield from self._of_blob(name, raw)
        yield from self._of_address(Address(raw))

    def _of_blob(self, name: str, raw: bytes) -> Iterator[Hit]:
        found, blobs = self._people.found(name), self._context.blobs
        if found.model is not None:
            task, version = found.model
            path = f"#/model/{task}/{version}"
            yield Hit(kind="model", title=f"Version {version}", note=f"of task {task}", path=path)
        if found.update is not None:
            task, number = found.update
            yield Hit(
                kind="round",
                title=f"Round {number}",
                note=f"of task {task}: the root of an update",
                path=f"#/round/{task}/{number}",
            )
        if blobs is not None and blobs.is_public(BlobId(raw)):
            size = blobs.stat(BlobId(raw)).size_bytes
            yield Hit(
                kind="blob",
                title=f"Blob {name[:12]}",
                note=f"{size} bytes on this node",
                path=f"/v1/blobs/{name}/stat",
            )

    def _of_address(self, address: Address) -> Iterator[Hit]:
        with self._context.chain.view() as state:
            contract, account = read_contract(state, address), read_account(state, address)
        if contract is not None or account.nonce == CONTRACT_NONCE:
            name = address.hex()
            yield Hit(
                kind="contract",
                title=f"Contract {name[:12]}",
                note="",
                path=f"#/contract/{name}",
            )
            return
        text = address_text(address)
        yield from self._of_participant(address)
        if account.balance or account.nonce:
            path = f"#/account/{text}"
            yield Hit(kind="account", title="Account", note=text, path=path)

    def _of_account(self, text: str) -> Iterator[Hit]:
        try:
            yield from self._of_address(parse_address(text))
        except BadRequestError:
            # Part of a did:key names nobody.
            return

    def _of_participant(self, address: Address) -> Iterator[Hit]:
        try:
            one = self._people.one(address)
        except HanseError:
            return
        yield Hit(
            kind="participant",
            title=one.name or "Participant",
            note=one.organisation or one.address,
            path=f"#/participant/{one.address}",
        )

    def _of_number(self, number: int, federation: FederationReader) -> Iterator[Hit]:
        if 1 <= number <= self._context.chain.head.height:
            path = f"#/commit/{number}"
            yield Hit(kind="commit", title=f"Commit {number}", note="by its height", path=path)
        if number < _count(federation.task_count):
            yield Hit(
                kind="task", title=f"Task {number}", note="by its number", path=f"#/task/{number}"
            )

    def _of_words(self, words: str) -> Iterator[Hit]:
        for one in self._people.named(words, limit=NAMES_MAX):
            yield Hit(
                kind="participant",
                title=one.name,
                note=one.organisation,
                path=f"#/participant/{one.address}",
            )
        for task, title in self._people.found(words).titled[:TITLES_MAX]:
            yield Hit(kind="task", title=title, note=f"task {task}", path=f"#/task/{task}")


def _count(question: Callable[[], int]) -> int:
    try:
        return question()
    except HanseError:
        # A chain may have no contracts.
        return 0
