"""One module a revision; `schema.REVISIONS` lists them in order. A released one is never changed."""
