"""Where a measurement was made, where an extension of `mappings/measurement-settings.yaml` says it."""

from careplan_exchange.model.snapshot import Origin

from .context import Context
from .rows import SettingRow
from .tables import plain
from .wire import Extension, Observation


def setting_of(context: Context, observation: Observation) -> Origin | None:
    """The setting by the first row that fits; None where no extension of the Observation says one."""
    for row in context.mappings.settings if observation.extension else ():
        if any(_fits(context, row, extension) for extension in observation.extension):
            return row.origin
    return None


def _fits(context: Context, row: SettingRow, extension: Extension) -> bool:
    said = extension.value_codeable_concept
    if extension.url not in row.extensions or said is None:
        return False
    keys = {context.key(coding) for coding in said.coding}
    texts = {plain(text) for text in (said.text, *(coding.display for coding in said.coding)) if text}
    return any((code.system, code.code) in keys for code in row.codes) or not texts.isdisjoint(row.texts)
