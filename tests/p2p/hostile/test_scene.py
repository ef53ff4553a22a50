from tests.p2p.hostile.scene import Scene, under_attack


def test_scene_holds_without_an_attack() -> None:
    async def attack(scene: Scene) -> None:
        await scene.check()

    under_attack(attack)


def test_intruder_is_a_peer_as_long_as_it_behaves() -> None:
    async def attack(scene: Scene) -> None:
        intruder = await scene.intrude()
        assert scene.is_connected(intruder.peer_id)

    under_attack(attack)
