"""Frozen values that the steps of the data path hand to each other. Read `snapshot.py`, then `proposal.py`.

In: nothing. Out: structs that know no server, no database and no version of FHIR.
"""
