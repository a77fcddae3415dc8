"""Step five: what of a ChangeSet may be written now, what waits for a person, and how a person is shown it.

In: a ChangeSet from `reconcile`, the site's `ReviewPolicy`, and who has approved. Out: a `Decision`, or lines of
text, or a page. Pure; what waits is kept by `store` as a `Pending`.

Read `kinds.py` (what a change is), `asking.py` (what a rule says of it) and `deciding.py` (the whole set) first,
then `modifying.py` and `diff.py`. `page.py` shows one patient's proposal as HTML and is imported by itself where
a page is made, so that nothing else pays for its templates. docs/review.md is the page about it.
"""

from .again import differences, modified_since, same_question
from .asking import needed_anew, never_written
from .checking import activities_in, implausible_targets, stale_descriptions
from .deciding import adoption, allowed, decide, persons, untouched
from .diff import contents, diff_lines, name_of, title_of
from .lines import Lines, lines_of, without_lines
from .modifying import with_edits
from .persons import approvers, consents, content_of, has_approved, has_seen, signed
from .plans import is_draft, is_in_use, is_plan
from .policy import lint_policy, load_policy
from .undoing import needed_to_undo

__all__ = [
    "Lines",
    "activities_in",
    "adoption",
    "allowed",
    "approvers",
    "consents",
    "content_of",
    "contents",
    "decide",
    "diff_lines",
    "differences",
    "has_approved",
    "has_seen",
    "implausible_targets",
    "is_draft",
    "is_in_use",
    "is_plan",
    "lines_of",
    "lint_policy",
    "load_policy",
    "modified_since",
    "name_of",
    "needed_anew",
    "needed_to_undo",
    "never_written",
    "persons",
    "same_question",
    "signed",
    "stale_descriptions",
    "title_of",
    "untouched",
    "with_edits",
    "without_lines",
]
