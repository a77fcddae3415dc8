"""Step five: what of a ChangeSet may be written now, what waits for a person, and how a person is shown it.

In: a ChangeSet from `reconcile`, the site's `ReviewPolicy`, and whether a person has approved. Out: a `Decision`,
or lines of text, or a page. Pure; what waits is kept by `store` as a `Pending`.

Read `deciding.py` first (the policy), then `diff.py`. `page.py` shows one patient's proposal as HTML and is
imported by itself where a page is made, so that nothing else pays for its templates.
"""

from .deciding import decide
from .diff import diff_lines

__all__ = ["decide", "diff_lines"]
