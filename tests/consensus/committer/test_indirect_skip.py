from tests.dsl.committee import over_committees
from tests.dsl.dag import commit, decisions, draw, letter, skip, undecided

Powers = tuple[int, ...]

OPEN = "r1: all / r2: short <- all -A; edge rest <- all / r3: all / "


@over_committees
def test_leader_without_a_certificate_is_skipped_by_a_committed_anchor(powers: Powers) -> None:
    drawing = draw(OPEN + "r4: all / r5: all / r6: all", powers=powers)
    below = [block for block in drawing.blocks.values() if block.round < 4]
    assert decisions(drawing, "A1", blocks=below) == [undecided("A1")]
    assert decisions(drawing, "A1 A4") == [skip("A1"), commit("A4")]


@over_committees
def test_leader_stays_open_until_its_anchor_is_committed(powers: Powers) -> None:
    drawing = draw(OPEN + "r4: all / r5: all / r6: all", powers=powers)
    below = [block for block in drawing.blocks.values() if block.round < 6]
    assert decisions(drawing, "A1 A4", blocks=below) == [undecided("A1"), undecided("A4")]


@over_committees
def test_anchor_that_is_itself_settled_by_an_anchor_settles_the_slot(powers: Powers) -> None:
    drawing = draw(
        OPEN + "r4: all / r5: short <- all -A; edge rest <- all / r6: all / r7: all / r8: all /"
        " r9: all",
        powers=powers,
    )
    # A4 is skipped by A7, so A7 is the anchor of A1 too.
    assert decisions(drawing, "A1 A4 A7") == [skip("A1"), skip("A4"), commit("A7")]


@over_committees
def test_leader_with_votes_that_no_block_gathers_is_skipped(powers: Powers) -> None:
    # A quorum votes for Z1, but every block of round 3 leaves one of the votes out.
    text = """
        r1: all
        r2: quorum <- all; rest <- all -Z
        r3: all -edge <- all -edge; edge <- all -Z
        r4: all / r5: all / r6: all
    """
    last = letter(len(powers) - 1)
    drawing = draw(text.replace("Z", last), powers=powers)
    below = [block for block in drawing.blocks.values() if block.round < 4]
    assert decisions(drawing, f"{last}1", blocks=below) == [undecided(f"{last}1")]
    assert decisions(drawing, f"{last}1 A4") == [skip(f"{last}1"), commit("A4")]
