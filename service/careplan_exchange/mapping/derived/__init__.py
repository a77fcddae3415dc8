"""Derived facts: what is worked out from other facts, by the rules of `mappings/derived/`.

In: the facts that were read, the rules, the patient's sex and date of birth. Out: more facts, each with the
evidence of everything it rests on (`inputs`) and the id of its rule (`rule`), and an issue where a rule that had
something to work from could not finish. Coefficients and thresholds are in the rules; here is one pure function
a kind of rule.

Read `deriving.py` first; `rules.py` has the shapes of the files, `lint.py` what is checked of them.
"""
