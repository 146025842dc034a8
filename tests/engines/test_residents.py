"""Which engines are in memory: a machine of ten gigabytes, and models whose loading a test can hold."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from falconry.engines.canned import CannedEngine
from falconry.engines.pool import EnginePool
from falconry.engines.residents import RESERVE
from falconry.engines.specs import ModelSpec
from falconry.errors import EngineUnavailable, FalconryError, ModelBusy, ModelNotFound
from falconry.messages import Message, SamplingParams

GB = 10**9


class Machine:
    """Memory that models take when they are loaded, and give back when they are closed."""

    def __init__(self, total: int = 10 * GB) -> None:
        self.total = total
        self.taken: dict[str, int] = {}
        self.most = 0

    def free(self) -> int:
        return self.total + RESERVE - sum(self.taken.values())

    def take(self, name: str, size: int) -> None:
        self.taken[name] = size
        self.most = max(self.most, sum(self.taken.values()))


class Weighty(CannedEngine):
    """Takes memory when it is loaded, which happens when the test lets it."""

    def __init__(self, name: str, house: House) -> None:
        super().__init__(text="Yes.", rate=100_000)
        self._name, self._house = name, house

    async def start(self) -> None:
        self._house.starts += 1
        await self._house.gate.wait()
        if self._house.failure is not None:
            raise self._house.failure
        self._house.machine.take(self._name, int(self._house.sizes[self._name] * GB))

    async def aclose(self) -> None:
        await asyncio.sleep(0)  # a process takes a moment to end
        self._house.machine.taken.pop(self._name, None)


class House:
    """A pool of models: their sizes in gigabytes by their names."""

    def __init__(self, sizes: dict[str, float], *, total: int = 10 * GB, **options: object) -> None:
        self.machine = Machine(total)
        self.gate = asyncio.Event()
        self.gate.set()
        self.failure: FalconryError | None = None
        self.starts = 0
        self.engines: dict[str, Weighty] = {}
        self.sizes = sizes
        self.pool = EnginePool(
            self.specs(),
            next(iter(sizes)),
            **{"loaded_models": None, "free_memory": self.machine.free, **options},  # type: ignore[arg-type]
        )

    def specs(self, identity: int = 0) -> dict[str, ModelSpec]:
        return {
            name: ModelSpec(
                name,
                name,
                "llama_cpp",
                partial(self._make, name),
                needs=partial(int, size * GB),
                keep=name == "eyas",
                identity=identity,
            )
            for name, size in self.sizes.items()
        }

    def _make(self, name: str) -> Weighty:
        self.engines[name] = Weighty(name, self)
        return self.engines[name]

    async def use(self, name: str) -> None:
        async with self.pool.engine(name):
            pass

    async def until(self, name: str, state: str) -> None:
        changed = asyncio.Event()
        self.pool.on_change.append(changed.set)
        async with asyncio.timeout(5):
            while self.pool.state(name).state != state:
                changed.clear()
                await changed.wait()
        self.pool.on_change.remove(changed.set)


async def test_as_many_are_loaded_as_fit_and_the_least_recently_used_goes_first() -> None:
    house = House({"a": 4, "b": 4, "c": 4})
    for name in "aba":
        await house.use(name)
    assert house.pool.loaded() == {"a", "b"}
    await house.use("c")
    assert house.pool.loaded() == {"a", "c"}
    assert house.machine.most <= house.machine.total


async def test_two_loads_at_once_do_not_overbook() -> None:
    house = House({"a": 6, "b": 6})
    house.gate.clear()
    first = asyncio.create_task(house.use("a"))
    second = asyncio.create_task(house.use("b"))
    await house.until("a", "loading")
    await asyncio.sleep(0.05)  # the time that b would need to be let in
    assert "b" not in house.engines  # a is still empty, and its room is taken all the same
    house.gate.set()
    await asyncio.gather(first, second)
    assert house.machine.most == 6 * GB


async def test_what_can_never_fit_is_refused_before_anything_is_unloaded() -> None:
    house = House({"a": 4, "huge": 11})
    await house.use("a")
    with pytest.raises(EngineUnavailable, match="not enough memory"):
        await house.use("huge")
    assert house.pool.loaded() == {"a"}
    assert "huge" not in house.engines


async def test_a_limit_of_the_settings_holds_where_the_machine_has_more() -> None:
    house = House({"a": 4, "b": 4, "c": 7}, memory_limit=6 * GB)
    await house.use("a")
    await house.use("b")
    assert house.pool.loaded() == {"b"}
    with pytest.raises(EngineUnavailable, match="not enough memory"):
        await house.use("c")


async def test_eyas_is_refused_by_no_full_machine() -> None:
    house = House({"eyas": 0.4}, total=GB // 4)
    await house.use("eyas")
    assert house.pool.loaded() == {"eyas"}


async def test_a_model_in_use_stays_and_whoever_needs_its_room_waits() -> None:
    house = House({"a": 6, "b": 6})
    async with house.pool.engine("a"):
        waiting = asyncio.create_task(house.use("b"))
        with pytest.raises(ModelBusy):
            await house.pool.load("b")  # to load it beforehand is no reason to wait
        assert house.pool.loaded() == {"a"}
    await waiting
    assert house.pool.loaded() == {"b"}


async def test_whoever_stops_waiting_for_room_leaves_nothing_behind() -> None:
    house = House({"a": 6, "b": 6})
    async with house.pool.engine("a"):
        waiting = asyncio.create_task(house.use("b"))
        await asyncio.sleep(0.01)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    assert house.pool.loaded() == {"a"}
    await house.use("b")


async def test_an_idle_model_is_unloaded_after_a_while_and_eyas_stays() -> None:
    house = House({"eyas": 0.1, "a": 1}, unload_after=0.05)
    await house.use("eyas")
    await house.use("a")
    await house.until("a", "unloaded")
    assert house.pool.loaded() == {"eyas"}


async def test_a_model_in_use_is_not_idle() -> None:
    house = House({"a": 1, "b": 1}, unload_after=0.02)
    await house.use("a")
    async with house.pool.engine("a"):
        await house.use("b")
        await house.until("b", "unloaded")  # its time has passed, and a's would have
        assert house.pool.loaded() == {"a"}
    await house.until("a", "unloaded")


async def test_to_look_whether_a_model_lives_does_not_keep_it() -> None:
    house = House({"a": 1}, unload_after=0.05)
    await house.use("a")
    assert house.pool.proven("a")
    async with asyncio.timeout(5):
        while house.pool.loaded():
            async with house.pool.engine("a", used=False):
                await asyncio.sleep(0.001)
            await asyncio.sleep(0.001)  # a probe that comes all the time
    assert house.pool.proven("a")  # it would be there when somebody asks


async def test_unloading_is_refused_while_a_request_waits_for_the_load() -> None:
    house = House({"a": 1})
    house.gate.clear()
    waiting = asyncio.create_task(house.use("a"))
    await house.until("a", "loading")
    with pytest.raises(ModelBusy, match="in use"):
        await house.pool.unload("a")
    house.gate.set()
    await waiting


async def test_a_load_begun_beforehand_goes_on_when_its_message_is_stopped() -> None:
    house = House({"a": 1})
    house.gate.clear()
    waiting = asyncio.create_task(house.use("a"))
    await house.until("a", "loading")
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert house.pool.state("a").state == "loading"
    house.gate.set()
    await house.until("a", "ready")


async def test_a_load_that_nobody_waits_for_makes_room_for_another() -> None:
    house = House({"a": 6, "b": 6})
    house.gate.clear()
    await house.pool.load("a")
    await house.pool.load("b")
    assert house.pool.loaded() == {"b"}
    house.gate.set()
    await house.until("b", "ready")
    assert house.machine.taken == {"b": 6 * GB}


async def test_what_fails_over_and_over_is_left_alone_until_a_person_asks() -> None:
    house = House({"a": 1})
    house.failure = EngineUnavailable("It is broken.")
    for _ in range(8):
        with pytest.raises(EngineUnavailable, match="broken"):
            await house.use("a")
    assert house.starts == 5
    assert house.pool.state("a").state == "failed"
    assert house.pool.loaded() == frozenset()
    house.failure = None
    await house.pool.load("a")
    await house.until("a", "ready")
    assert house.pool.state("a").problem is None


async def test_what_is_in_use_stays_until_it_is_done_where_its_name_is_another_model_now() -> None:
    house = House({"a": 1})
    async with house.pool.engine("a") as old:
        house.pool.offer(house.specs(identity=1), "a")
        async with house.pool.engine("a") as new:
            assert new is not old
        assert house.pool.loaded() == {"a"}
    await house.pool.aclose()
    assert house.machine.taken == {}


async def test_a_name_that_is_gone_is_an_error_and_what_it_wrote_ends_well() -> None:
    house = House({"a": 1, "b": 1})
    deltas = house.pool.generate("b", [Message("user", "?")], SamplingParams())
    first = await anext(deltas)
    house.pool.offer({"a": house.specs()["a"]}, "a")
    with pytest.raises(ModelNotFound):
        house.pool.resolve("b")
    rest = [delta async for delta in deltas]
    assert first.text + "".join(delta.text for delta in rest) == "Yes."


async def test_an_adapter_is_seen_through_its_base() -> None:
    house = House({"a": 1})
    views: list[object] = []

    def view(base: object) -> CannedEngine:
        views.append(base)
        return CannedEngine(text="Changed.", rate=100_000)

    base = house.specs()["a"]
    adapter = ModelSpec("a+", "a+", "llama_cpp", base.make, base="a", view=view, identity="a+")
    house.pool.offer({"a": base, "a+": adapter}, "a")
    async with house.pool.engine("a+") as first, house.pool.engine("a+") as second:
        assert first is second
        assert house.pool.loaded() == {"a"}
        assert house.pool.state("a+").state == "ready"
        with pytest.raises(ModelBusy):
            await house.pool.unload("a+")
    assert views == [house.engines["a"]]
