"""The knowledge that is installed: ours with the site's laid over it, read, checked and compiled."""

from pathlib import Path

from careplan_exchange import config
from careplan_exchange import knowledge as folders
from careplan_exchange.errors import SettingsError
from careplan_exchange.exchange import Knowledge
from careplan_exchange.knowledge_cache import cached
from careplan_exchange.mapping import load_mappings, load_vocabulary
from careplan_exchange.planner import load_policies, load_protocols
from careplan_exchange.review import load_policy
from careplan_exchange.sources import Plans, load_plans


def load_knowledge(settings: config.Settings) -> Knowledge:
    """Mappings, profiles and protocols, ours with the site's laid over them: compiled, or as they were kept from
    the last time. Raises KnowledgeError."""
    overlay = _overlay(settings)
    bases = (folders.root(), *([overlay] if overlay else ()))
    watched = [base / name for base in bases for name in ("mappings", "profiles", "protocols")]
    return cached(watched, Knowledge, lambda digest: _compiled(overlay, digest))


def _compiled(overlay: Path | None, digest: str) -> Knowledge:
    files: dict[str, tuple[folders.Document, ...]] = {
        name: folders.documents(name, overlay) for name in folders.FOLDERS
    }
    vocabulary = load_vocabulary(files["profiles"])
    return Knowledge(
        vocabulary=vocabulary,
        mappings=load_mappings(files["mappings"], vocabulary),
        protocols=load_protocols(files["protocols"], vocabulary),
        policies=load_policies(files, vocabulary),
        review=load_policy(files["protocols/review"], files["protocols"]),
        digest=digest,
    )


def documents(settings: config.Settings, folder: folders.Folder) -> tuple[folders.Document, ...]:
    """The files of one knowledge folder, ours with the site's laid over them. Raises KnowledgeError."""
    return folders.documents(folder, _overlay(settings))


def load_query_plans(settings: config.Settings) -> Plans:
    """What each vendor's server is asked for. Raises KnowledgeError."""
    return load_plans(documents(settings, "mappings/vendors"))


def _overlay(settings: config.Settings) -> Path | None:
    overlay = settings.knowledge.overlay
    if overlay is not None and not overlay.is_dir():
        raise SettingsError(
            f"The knowledge overlay {overlay} is not a folder.", mend="Mend [knowledge] overlay in careplan.toml."
        )
    return overlay
