"""Which peer to ask for which missing block, and when to ask another.

Live path: whoever sent the child has its whole cone, so it is asked at once. Background path:
on every tick, what is still wanted goes to further peers, what was asked for least first. Bounded
per ref and per peer. Rotation is counted, not drawn: the core has no dice.
Source: Sui `synchronizer.rs`.
"""

from collections.abc import Iterable

from consensus.block import BlockRef
from consensus.parameters import Tuning
from primitives.ids import AuthorityIndex

FetchPlan = dict[AuthorityIndex, list[BlockRef]]


class _Request:
    """Who was asked for one ref, and how often in all."""

    __slots__ = ("attempts", "deadlines_ms")

    def __init__(self) -> None:
        self.attempts = 0
        self.deadlines_ms: list[int] = []


class _Sent:
    """One request to a peer."""

    __slots__ = ("deadline_ms", "refs")

    def __init__(self, refs: tuple[BlockRef, ...], deadline_ms: int) -> None:
        self.refs = refs
        self.deadline_ms = deadline_ms


class Fetcher:
    """Requests in flight; the wanted refs themselves belong to `Suspension`."""

    def __init__(self, *, own: AuthorityIndex, size: int, tuning: Tuning) -> None:
        self._own = own
        self._size = size
        self._tuning = tuning
        self._requests: dict[BlockRef, _Request] = {}
        self._sent: dict[AuthorityIndex, list[_Sent]] = {}

    def untired(self, refs: Iterable[BlockRef]) -> list[BlockRef]:
        """Return the refs that were asked for less often than there are peers."""
        return [ref for ref in refs if self._attempts(ref) < self._size]

    def ask(self, refs: Iterable[BlockRef], peer: AuthorityIndex, *, now_ms: int) -> FetchPlan:
        """Plan to ask `peer`, who sent a child of these refs, as far as bounds allow."""
        plan: FetchPlan = {}
        if peer != self._own:
            for ref in refs:
                self._assign(ref, peer, plan=plan, now_ms=now_ms)
        self._open_requests(plan, now_ms=now_ms)
        return plan

    def retry(self, wanted: Iterable[BlockRef], *, now_ms: int) -> FetchPlan:
        """Plan requests for refs with a place in flight left: new or timed out."""
        plan: FetchPlan = {}
        # Fewest attempts first, or made-up refs of low rounds would starve the ones that exist.
        ranked = sorted((self._attempts(ref), ref) for ref in wanted)
        for attempts, ref in ranked[: self._tuning.fetch_refs_max * 4]:
            self._assign(ref, self._rotate(ref, attempts), plan=plan, now_ms=now_ms)
        self._open_requests(plan, now_ms=now_ms)
        return plan

    def arrived(self, ref: BlockRef) -> None:
        """Forget a ref that came, or that GC passed."""
        self._requests.pop(ref, None)

    def answered(self, peer: AuthorityIndex) -> None:
        """Free the place of a peer's oldest request; what it did not have may go to others."""
        sent = self._sent.get(peer)
        if not sent:
            return
        for ref in sent.pop(0).refs:
            request = self._requests.get(ref)
            if request is not None and request.deadlines_ms:
                request.deadlines_ms.pop(0)

    def keep_only(self, wanted: dict[BlockRef, None]) -> None:
        """Forget requests for refs that nobody waits for any more."""
        for ref in [ref for ref in self._requests if ref not in wanted]:
            del self._requests[ref]

    def _attempts(self, ref: BlockRef) -> int:
        request = self._requests.get(ref)
        return 0 if request is None else request.attempts

    def _assign(self, ref: BlockRef, peer: AuthorityIndex, *, plan: FetchPlan, now_ms: int) -> None:
        request = self._requests.get(ref)
        if request is None:
            request = self._requests[ref] = _Request()
        request.deadlines_ms = [at for at in request.deadlines_ms if at > now_ms]
        if len(request.deadlines_ms) >= self._tuning.fetch_peers_per_ref:
            return
        refs = plan.setdefault(peer, [])
        if len(refs) >= self._tuning.fetch_refs_max or not self._has_room(peer, now_ms):
            return
        refs.append(ref)
        request.attempts += 1
        request.deadlines_ms.append(now_ms + self._tuning.fetch_timeout_ms)

    def _rotate(self, ref: BlockRef, attempts: int) -> AuthorityIndex:
        """Return the author first, then one peer after the other from a place the ref names."""
        if attempts == 0 and ref.author != self._own:
            return ref.author
        place = (ref.digest[0] + attempts) % self._size
        if place == self._own:
            place = (place + 1) % self._size
        return AuthorityIndex(place)

    def _has_room(self, peer: AuthorityIndex, now_ms: int) -> bool:
        sent = [one for one in self._sent.get(peer, ()) if one.deadline_ms > now_ms]
        self._sent[peer] = sent
        return len(sent) < self._tuning.fetch_requests_per_peer

    def _open_requests(self, plan: FetchPlan, *, now_ms: int) -> None:
        for peer in [peer for peer, refs in plan.items() if not refs]:
            del plan[peer]
        deadline_ms = now_ms + self._tuning.fetch_timeout_ms
        for peer, refs in plan.items():
            self._sent.setdefault(peer, []).append(_Sent(tuple(refs), deadline_ms))
