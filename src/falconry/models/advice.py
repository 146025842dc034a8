"""What this machine, or one with other memory, can run of the catalogue, and which model to take on it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from falconry.i18n import Language, translate
from falconry.models.catalog import CatalogModel, Terms, catalog
from falconry.models.machine import Machine, free_memory, gpus, machine, measure_bandwidth
from falconry.models.recommend import FAST_ENOUGH, Recommendation, Variant, Wish, recommend, usable, variants
from falconry.settings import Settings

_GIB = 2**30


@dataclass(frozen=True, slots=True)
class Advice:
    """The catalogue as a machine sees it.

    Attributes:
        memory: bytes that were reckoned with in all, and `room` of them for models; None where nobody knows.
        bandwidth: of this machine's memory, in bytes per second.
        language: what the recommended model has to speak, None for any.
    """

    machine: Machine
    memory: int | None
    room: int | None
    bandwidth: float
    terms: Terms
    language: str | None
    wish: Wish
    entries: tuple[tuple[CatalogModel, list[Variant]], ...]
    recommended: Recommendation | None


def advise(
    settings: Settings, *, memory: int | None = None, language: str | None = None, wish: Wish = "quality"
) -> Advice:
    """Look at this machine and at the catalogue. Blocks: half a second the first time, for the memory's speed.

    Args:
        memory: bytes of another machine; None for this one's.
        language: such as "zh".
    """
    here = machine()
    whole = memory if memory is not None else memory_of(here, settings)
    room = usable(whole) if whole is not None else None
    terms, bandwidth = terms_of(settings), measure_bandwidth()
    # How fast another machine is nobody knows; who wishes for speed is helped by a guess.
    pace = bandwidth if memory is None or wish == "speed" else None
    chosen = recommend(catalog(), terms, room, pace, language=language, wish=wish) if room is not None else None
    entries = tuple((model, variants(model, terms, room, bandwidth)) for model in catalog())
    return Advice(here, whole, room, bandwidth, terms, language, wish, entries, chosen)


def memory_of(here: Machine, settings: Settings) -> int | None:
    """Bytes to reckon with: the machine's, within the limit of the settings. The memory of graphics cards counts for a
    llama-server of the user's own, which can use them; the built-in one cannot."""
    if here.total_memory is None:
        return None
    cards = sum(gpu.total_memory for gpu in here.gpus) if settings.llama_server is not None else 0
    whole = here.total_memory + cards
    return min(whole, settings.memory_limit_mib * 2**20) if settings.memory_limit_mib is not None else whole


def free_for_models(settings: Settings) -> int | None:
    """Bytes that models may have now, None where nobody knows. Blocking, up to 2 s the first time.

    For a llama-server of the user's own the memory of graphics cards counts as a whole: what our own models hold there
    is taken off by whoever asks, and nobody tells it from what other programs hold.
    """
    free = free_memory()
    return free + _card_memory() if free is not None and settings.llama_server is not None else free


@cache
def _card_memory() -> int:
    return sum(gpu.total_memory for gpu in gpus())


def terms_of(settings: Settings) -> Terms:
    """How the settings run a model."""
    return Terms(
        settings.context_length,
        settings.slots,
        settings.kv_cache_type,
        flash_attention=settings.uses_flash_attention,
    )


def reason(advice: Advice, chosen: Recommendation, language: Language) -> str:
    """Why it is the one, in the numbers of the rule."""
    model, variant, rate = chosen.model, chosen.variant, FAST_ENOUGH[advice.wish]
    speaks = f"catalog_reason_{advice.language}" if advice.language in ("zh", "en") else "catalog_reason_any"
    speed = variant.tokens_per_second
    which = "catalog_reason_fits" if speed is None else "catalog_reason" if speed >= rate else "catalog_reason_slow"
    return translate(
        f"cli.{which}",
        language,
        speaks=translate(f"cli.{speaks}", language),
        room=f"{(advice.room or 0) / _GIB:.1f}",
        context=advice.terms.context(model.context_length),
        rate=f"{rate:g}",
        strong=f"{chosen.strong / 1e9:.1f}",
        name=model.name,
        quantization=variant.quantization,
        memory=f"{variant.memory / _GIB:.1f}",
        speed=f"{speed or 0:.1f}",
    )
