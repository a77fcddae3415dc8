"""The knowledge folders as an implementation guide: FHIR artefacts, and a page that a person can read.

In: the folders, loaded and linted (`material.py`). Out: one StructureDefinition a concept with differential,
snapshot and an example, ValueSets, ConceptMaps, CodeSystems and a CapabilityStatement (`artefacts`), and
docs/profiles.md (`page`). Pure, and the same for the same folders. Read `shapes.py` first.
"""

from .artefacts import Artefacts, artefacts
from .material import Material, Need, gather
from .page import page

__all__ = ["Artefacts", "Material", "Need", "artefacts", "gather", "page"]
