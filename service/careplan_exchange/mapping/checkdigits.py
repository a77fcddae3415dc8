"""Check digits of SNOMED CT (Verhoeff) and LOINC (mod 10), so that a mistyped code is caught when it is loaded.

SNOMED CT: https://confluence.ihtsdotools.org/display/DOCRELFMT/6.3+Check-digit. LOINC: Users' Guide,
"LOINC check digit": every second character from the right counts double. The letters of an answer code
(LA15173-0) count by their distance from "0" in ASCII.
"""

import re

# The Cayley table of the dihedral group D5 and the powers of the permutation that Verhoeff chose.
_D5 = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9),
    (1, 2, 3, 4, 0, 6, 7, 8, 9, 5),
    (2, 3, 4, 0, 1, 7, 8, 9, 5, 6),
    (3, 4, 0, 1, 2, 8, 9, 5, 6, 7),
    (4, 0, 1, 2, 3, 9, 5, 6, 7, 8),
    (5, 9, 8, 7, 6, 0, 4, 3, 2, 1),
    (6, 5, 9, 8, 7, 1, 0, 4, 3, 2),
    (7, 6, 5, 9, 8, 2, 1, 0, 4, 3),
    (8, 7, 6, 5, 9, 3, 2, 1, 0, 4),
    (9, 8, 7, 6, 5, 4, 3, 2, 1, 0),
)
_STEP = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)

_SNOMED = re.compile(r"[1-9][0-9]{5,17}")
_LOINC = re.compile(r"(?P<body>(?:LA)?[0-9]{1,7})-(?P<check>[0-9])")


def snomed_is_well_formed(code: str) -> bool:
    """Whether this can be a SNOMED CT identifier: 6 to 18 digits that end in their Verhoeff check digit."""
    if not _SNOMED.fullmatch(code):
        return False
    state = 0
    for position, character in enumerate(reversed(code)):
        digit = int(character)
        for _ in range(position % 8):
            digit = _STEP[digit]
        state = _D5[state][digit]
    return state == 0


def loinc_is_well_formed(code: str) -> bool:
    """Whether this can be a LOINC term or answer code: a number and its mod 10 check digit."""
    match = _LOINC.fullmatch(code)
    if match is None:
        return False
    total = 0
    for position, character in enumerate(reversed(match["body"])):
        weight = ord(character) - ord("0")
        total += weight if position % 2 else 2 * weight - 9 * (weight // 5)
    return -total % 10 == int(match["check"])
