"""Our own API: comparisons of models. A place is a column, from 0; in a blind one nobody is told which model it is."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import ConfigDict, Field

from falconry.access.person import Person
from falconry.api.request_body import RequestBody
from falconry.api.schemas import Id, ModelName, Params
from falconry.api.strict import StrictRoute
from falconry.compare.comparisons import FEWEST_MODELS, MOST_MODELS, Comparisons
from falconry.compare.judging import MOST_TURNS
from falconry.compare.told import comparison_json, results_json, state_json, vote_json
from falconry.gate.identity import Asker
from falconry.gate.marks import user
from falconry.services import Services

Json = dict[str, Any]
PlaceNumber = Annotated[int, Field(ge=0, lt=MOST_MODELS)]


class NewComparison(RequestBody):
    """Two to four different models. `blind`: neither their names nor their order are told before a vote."""

    model_config = ConfigDict(extra="forbid")

    models: list[ModelName] = Field(min_length=FEWEST_MODELS, max_length=MOST_MODELS)
    blind: bool = False


class ComparisonTurn(RequestBody):
    """A question to all models. `turn` is its number, from 0, as the sender has seen the comparison."""

    model_config = ConfigDict(extra="forbid")

    content: str
    turn: int = Field(ge=0, le=MOST_TURNS)
    system: str | None = Field(None, max_length=200_000)
    persona: str | None = Field(None, max_length=80)
    params: Params = Field(default_factory=Params)
    attachments: list[Id] = Field(default_factory=list, max_length=20)


class NewVote(RequestBody):
    """The places of the best answers to a question: all of them is a tie, none that all are bad."""

    model_config = ConfigDict(extra="forbid")

    turn: int = Field(ge=0, lt=MOST_TURNS)
    best: list[PlaceNumber] = Field(max_length=MOST_MODELS)


class Place(RequestBody):
    model_config = ConfigDict(extra="forbid")

    place: PlaceNumber


def comparisons_router(services: Services) -> APIRouter:
    """Routes under /api/comparisons."""
    router = APIRouter(prefix="/api/comparisons", route_class=StrictRoute, tags=["comparisons"])

    def mine(asker: Person) -> Comparisons:
        return services.comparisons.of(asker.id)

    @router.get("")
    @user("conversations")
    async def comparisons(
        asker: Asker, limit: Annotated[int, Query(ge=1, le=200)] = 50, before: Id | None = None
    ) -> Json:
        """Comparisons in which something was asked, the newest first; with `before`, those older than that one."""
        found = await mine(asker).newest(limit, before=before)
        return {"comparisons": [comparison_json(entry.comparison) | {"votes": entry.votes} for entry in found]}

    @router.post("", status_code=201)
    @user("conversations")
    async def create(asker: Asker, body: NewComparison) -> Json:
        """Begin a comparison. In a blind one the server chooses the order, and keeps it to itself."""
        return comparison_json(await mine(asker).create(body.models, blind=body.blind))

    @router.get("/results")
    @user("conversations")
    async def results(asker: Asker, blind: bool = False) -> Json:
        """What all votes say: each pair's win rate with its 95 % interval, and the models' strengths.

        `blind`: only votes that were given while names were hidden. `hidden_votes` do not count before names are told.
        """
        own = mine(asker)
        found = await own.results(blind_only=blind)
        return results_json(found) | {"hidden_votes": await own.hidden_votes()}

    @router.post("/reveal")
    @user("conversations")
    async def reveal_all(asker: Asker) -> Json:
        """Tell the names of all blind comparisons that have a vote."""
        return {"revealed": await mine(asker).reveal_all()}

    @router.get("/{comparison_id}")
    @user("conversations")
    async def comparison(asker: Asker, comparison_id: Id) -> Json:
        """A comparison with its questions, answers and votes."""
        return state_json(await mine(asker).state(comparison_id))

    @router.delete("/{comparison_id}", status_code=204)
    @user("conversations")
    async def delete(asker: Asker, comparison_id: Id) -> None:
        """Delete a comparison for good, with its answers and votes."""
        await mine(asker).delete(comparison_id)

    @router.post("/{comparison_id}/turns", status_code=201)
    @user("conversations", counted=True)
    async def ask(asker: Asker, comparison_id: Id, body: ComparisonTurn) -> Json:
        """Ask all models at once. The replies are the server's: they go on whoever leaves."""
        own = mine(asker)
        await own.ask(
            comparison_id,
            body.content,
            turn=body.turn,
            params=body.params.to_sampling(),
            system=body.system,
            persona=body.persona,
            attachments=body.attachments,
        )
        return state_json(await own.state(comparison_id))

    @router.post("/{comparison_id}/retry", status_code=201)
    @user("conversations", counted=True)
    async def retry(asker: Asker, comparison_id: Id, body: Place) -> Json:
        """Let one model answer the newest question again, after its answer failed or was stopped."""
        own = mine(asker)
        await own.retry(comparison_id, body.place)
        return state_json(await own.state(comparison_id))

    @router.post("/{comparison_id}/stop")
    @user("conversations")
    async def stop(asker: Asker, comparison_id: Id) -> Json:
        """Stop all models; their texts so far are kept."""
        own = mine(asker)
        await own.stop(comparison_id)
        return state_json(await own.state(comparison_id))

    @router.post("/{comparison_id}/votes", status_code=201)
    @user("conversations")
    async def vote(asker: Asker, comparison_id: Id, body: NewVote) -> Json:
        """Judge the answers to a question, anew where that has been done before."""
        own = mine(asker)
        given = await own.vote(comparison_id, body.turn, set(body.best))
        return {"vote": vote_json(await own.get(comparison_id), given)}

    @router.post("/{comparison_id}/reveal")
    @user("conversations")
    async def reveal(asker: Asker, comparison_id: Id) -> Json:
        """Tell the names of a blind comparison, which needs a vote. Later votes in it are not blind."""
        own = mine(asker)
        await own.reveal(comparison_id)
        return state_json(await own.state(comparison_id))

    @router.post("/{comparison_id}/conversations", status_code=201)
    @user("conversations")
    async def continue_as_chat(asker: Asker, comparison_id: Id, body: Place) -> Json:
        """Make an ordinary conversation of one model's side."""
        return {"conversation_id": await mine(asker).continue_as_chat(comparison_id, body.place)}

    return router
