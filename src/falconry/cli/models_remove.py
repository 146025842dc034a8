"""`falconry models remove`: deletes a model that was fetched, or what there is of one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from falconry.cli.accounts import confirm
from falconry.cli.configure import load_settings, problem, settings_flags
from falconry.cli.tables import short_size
from falconry.cli.terminal import Terminal
from falconry.cli.verbs import Verb
from falconry.errors import ModelNotFound

if TYPE_CHECKING:
    from falconry.settings import Settings


@click.command("remove", cls=Verb)
@click.argument("name", metavar="MODEL")
@click.option("--yes", is_flag=True)
@settings_flags("data_dir")
@click.pass_obj
def command(terminal: Terminal, /, name: str, yes: bool, debug: bool, data_dir: str | None) -> None:
    from falconry.models.local import find_models  # not needed for --help
    from falconry.models.removal import is_removable, remove_model

    settings = load_settings(terminal, debug=debug, data_dir=data_dir)
    model = next((model for model in find_models(settings) if model.name == name), None)
    if model is None:
        freed = _remove_unfinished(settings, terminal, name, yes=yes)
    else:
        if is_removable(model, settings):
            question = terminal.text("models_remove_question", name=name, size=short_size(model.size))
            confirm(terminal, question, yes=yes)
        freed = remove_model(settings, name)  # which says why, where it is not removable
    terminal.note("model_removed", name=name, size=short_size(freed) or "0 B")


def _remove_unfinished(settings: Settings, terminal: Terminal, name: str, *, yes: bool) -> int:
    """Remove what there is of a model that has not arrived, by its name or what was asked for. Gives its bytes.

    Raises ModelNotFound where there is none, InvalidRequest while a process fetches it.
    """
    from falconry.models.download_plan import DownloadFolder
    from falconry.models.transfer import is_held

    folder = DownloadFolder(settings.models_folder)
    for download_id, stored in folder.load().items():
        plan = stored.plan
        if name in (plan.model, plan.title, plan.wanted):
            if is_held(folder, download_id):
                raise problem(terminal, "remove_running", title=plan.title)
            done = folder.done(plan)
            question = terminal.text("models_remove_question", name=plan.title, size=short_size(done) or "0 B")
            confirm(terminal, question, yes=yes)
            folder.forget(download_id)
            return done
    raise ModelNotFound(f"There is no model named “{name[:200]}”. Choose another one.", model=name[:200])
