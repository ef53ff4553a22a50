from consensus.committer import Committer
from tests.dsl.committee import over_committees, over_leader_counts
from tests.dsl.dag import (
    Decision,
    Drawing,
    commit,
    committer_of,
    decided,
    draw,
    rotation,
    skip,
    slots,
)

Powers = tuple[int, ...]


def _take_all(committer: Committer, drawing: Drawing) -> list[Decision]:
    taken = []
    for decision in committer.decide():
        committer.take(decision)
        taken.append(drawing.name(decision))
    return taken


@over_committees
def test_trailing_skip_does_not_come_out_again(powers: Powers) -> None:
    drawing = draw("r1: all / r2: quorum <- all -A / r3: quorum", powers=powers)
    committer = committer_of(drawing, drawing.dag(), slots("A1 A2", size=len(powers)))
    assert _take_all(committer, drawing) == [skip("A1"), skip("A2")]
    assert _take_all(committer, drawing) == []
    assert committer.decided_round == 2


@over_committees
def test_skips_between_commits_come_out_once(powers: Powers) -> None:
    drawing = draw(
        "r1: all / r2: all / r3: quorum <- all -A / r4: all / r5: all / r6: all", powers=powers
    )
    committer = committer_of(drawing, drawing.dag(), slots("A1 A2 A3 A4", size=len(powers)))
    first, *_ = committer.decide()
    committer.take(first)
    assert _take_all(committer, drawing) == [skip("A2"), skip("A3"), commit("A4")]
    assert _take_all(committer, drawing) == []


@over_leader_counts
def test_slots_taken_one_at_a_time_are_those_decided_at_once(powers: Powers, count: int) -> None:
    size = len(powers)
    drawing = draw("/".join(f"r{n}: all -A" for n in range(1, size + 4)), powers=powers)
    leaders = rotation(size, count)
    committer = committer_of(drawing, drawing.dag(), leaders)
    taken = []
    while decisions := committer.decide():
        committer.take(decisions[0])
        taken.append(drawing.name(decisions[0]))
    assert taken == decided(drawing, leaders)


@over_leader_counts
def test_cursor_moved_onto_a_certified_commit_passes_all_slots_before_it(
    powers: Powers, count: int
) -> None:
    size = len(powers)
    drawing = draw("/".join(f"r{n}: all" for n in range(1, size + 4)), powers=powers)
    leaders = rotation(size, count)
    whole = decided(drawing, leaders)
    committer = committer_of(drawing, drawing.dag(), leaders)
    committer.advance_to(drawing["A3"].round, count - 1)
    assert [drawing.name(d) for d in committer.decide()] == whole[3 * count :]
    committer.advance_to(drawing["A2"].round, 0)
    assert [drawing.name(d) for d in committer.decide()] == whole[3 * count :]


def test_decisions_show_slot_and_verdict() -> None:
    drawing = draw("r1: all / r2: quorum <- all -A / r3: quorum / r4: quorum")
    committer = committer_of(drawing, drawing.dag(), slots("A1 C2", size=4))
    skipped, committed, *_ = committer.decide()
    assert repr(skipped) == "SlotDecision(1/0 by 0: skip)"
    digest = drawing["C2"].ref.digest.hex()[:8]
    assert repr(committed) == f"SlotDecision(2/0 by 2: commit {digest})"
    assert committer.leaders(2) == (2,)
