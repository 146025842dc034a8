"""Our own API: which models there are in the catalogue, which of them suits this machine, and whether one fits."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import ConfigDict, Field

from falconry.api.request_body import RequestBody
from falconry.api.schemas import ModelName
from falconry.api.strict import StrictRoute
from falconry.errors import ModelNotFound
from falconry.gate.identity import language_of
from falconry.gate.marks import user
from falconry.i18n import Language
from falconry.models import eyas
from falconry.models.advice import Advice, advise, free_for_models, reason, terms_of
from falconry.models.catalog import CatalogModel, alternatives_for, find
from falconry.models.fit import Fit, fits, slot_context
from falconry.models.gguf import read_header
from falconry.models.header import Header
from falconry.models.quantization_mix import QUANTIZATIONS
from falconry.models.recommend import Variant, Wish
from falconry.services import Services
from falconry.settings import BUILT_IN_MODEL

Json = dict[str, Any]
_MOST_MEMORY = 2**50
_LANGUAGE_TAG = r"^[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*$"


class FitBody(RequestBody):
    """A model: by its name in the list of files, or by its id in the catalogue and a quantisation there. Without a
    context it is the one that the settings give."""

    model_config = ConfigDict(extra="forbid")

    model: ModelName
    quantization: str | None = Field(None, max_length=16)
    context_length: int | None = Field(None, ge=1, le=100_000_000)


def catalog_router(services: Services) -> APIRouter:
    """The routes /api/catalog and /api/models/fit."""
    router = APIRouter(prefix="/api", route_class=StrictRoute, tags=["models"])
    settings = services.settings

    @router.get("/catalog")
    @user("conversations")
    async def catalog(
        request: Request,
        language: Annotated[str | None, Query(pattern=_LANGUAGE_TAG, max_length=35)] = None,
        memory: Annotated[int | None, Query(ge=2**20, le=_MOST_MEMORY)] = None,
        wish: Wish = "quality",
    ) -> Json:
        """The catalogue, what of it fits, and the one that is recommended.

        `language` is a tag like "zh": only models that speak it are recommended. `memory` is in bytes, of another
        machine in place of this one. `wish` is what matters more. Each variant's `memory` is what it takes with the
        context and the slots of the settings, `tokens_per_second` an estimate from how fast this machine's memory is.
        """
        spoken = language.replace("_", "-").split("-")[0].lower() if language else None
        advice = await asyncio.to_thread(advise, settings, memory=memory, language=spoken, wish=wish)
        return catalog_json(advice, language_of(request))

    @router.post("/models/fit")
    @user("conversations")
    async def fit(body: FitBody) -> Json:
        """Whether a model fits into the memory that is free now, and what would: a shorter context, or another
        quantisation. In bytes and tokens."""
        return fit_json(await asyncio.to_thread(_fit, services, body))

    return router


def catalog_json(advice: Advice, language: Language) -> Json:
    machine, chosen = advice.machine, advice.recommended
    return {
        "machine": {**asdict(machine), "bandwidth": advice.bandwidth},
        "memory": advice.room,
        "entries": [_entry_json(model, variants, language) for model, variants in advice.entries],
        "recommended": None
        if chosen is None
        else {
            "id": chosen.model.id,
            "quantization": chosen.variant.quantization,
            "reason": reason(advice, chosen, language),
        },
    }


def _entry_json(model: CatalogModel, variants: list[Variant], language: Language) -> Json:
    return {
        "id": model.id,
        "name": model.name,
        "parameters": model.parameters,
        "active_parameters": model.active_parameters,
        "languages": model.languages,
        "license": asdict(model.license),
        "context_length": model.context_length,
        "released": model.released,
        "weights": model.weights,
        "gguf": model.gguf,
        "description": model.description[language],
        "facts": [{"what": what, **asdict(source)} for what, found in model.facts.items() for source in found],
        "variants": [asdict(variant) for variant in variants],
    }


def fit_json(fit: Fit) -> Json:
    offers: list[Json] = []
    if fit.shorter is not None:
        offers.append({"kind": "context", **asdict(fit.shorter)})
    if fit.smaller is not None:
        offers.append({"kind": "quantization", **asdict(fit.smaller)})
    estimate = {**asdict(fit.estimate), "total": fit.estimate.total}
    return {
        "ok": fit.ok,
        "free": fit.free,
        "estimate": estimate,
        "context_length": fit.context_length,
        "offers": offers,
    }


def _fit(services: Services, body: FitBody) -> Fit:
    """Blocking: it may read a header. Raises ModelNotFound, BadModelFile."""
    header, names = _header_of(services, body)
    terms = terms_of(services.settings)
    known = find(body.model)
    return fits(
        header,
        context_length=slot_context(body.context_length or terms.context_length, header.context_length),
        slots=terms.slots,
        free=free_for_models(services.settings) or 0,
        kv_type=terms.kv_type,
        flash_attention=terms.flash_attention,
        alternatives=known.alternatives() if known is not None else alternatives_for(names),
    )


def _header_of(services: Services, body: FitBody) -> tuple[Header, list[str]]:
    for local in services.shelf.local():
        if local.name == body.model and local.header is not None:
            return local.header, [local.name, local.path.name, local.header.name or ""]
    if body.model == BUILT_IN_MODEL:
        return read_header(eyas.path()), []
    known = find(body.model)
    quantization = body.quantization or QUANTIZATIONS[0]
    if known is None or quantization not in QUANTIZATIONS:
        raise ModelNotFound(
            f"There is no model named “{body.model[:200]}”. Choose another one.", model=body.model[:200]
        )
    return known.header(quantization), []
