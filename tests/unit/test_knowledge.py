"""The YAML loader of the knowledge folders: no surprises, every line known, errors that say where."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from careplan_exchange.errors import KnowledgeError
from careplan_exchange.knowledge import Document, documents, parse, root


def finding_of(text):
    with pytest.raises(KnowledgeError) as caught:
        parse("x.yaml", text)
    (finding,) = caught.value.findings
    assert finding.file == "x.yaml"
    assert finding.mend
    return finding


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("7.20", Decimal("7.20")),
        ("-0.5", Decimal("-0.5")),
        ("7", 7),
        ("-7", -7),
        ("0", 0),
        ("true", True),
        ("null", None),
        ("~", None),
        ("no", "no"),
        ("yes", "yes"),
        ("on", "on"),
        ("True", "True"),
        ("2026-11-24", "2026-11-24"),
        ("1e3", "1e3"),
        ("0x1F", "0x1F"),
        ("007", "007"),
        ("12:30", "12:30"),
        ("1_000", "1_000"),
        ("'7'", "7"),
        ("4548-4", "4548-4"),
    ],
)
def test_a_scalar_is_what_it_looks_like(text, value):
    found = parse("x.yaml", f"a: {text}".encode()).content["a"]
    assert found == value
    assert type(found) is type(value)
    assert str(found) == str(value)


def test_an_empty_value_is_nothing():
    assert parse("x.yaml", b"a:\nb: 1\n").content == {"a": None, "b": 1}


def test_json_is_read_as_it_is():
    assert parse("x.json", b'{"a": [1, 2.50, "x", null, false]}').content == {
        "a": [1, Decimal("2.50"), "x", None, False]
    }


def test_every_element_knows_its_line():
    document = parse("x.yaml", b"a: 1\nb:\n  - c: 2\n  -\n    d: 3\n")
    assert document.line("a") == 1
    assert document.line("b") == 2
    assert document.line("b", 0, "c") == 3
    assert document.line("b", 1, "d") == 5


def test_an_element_that_is_not_there_has_the_line_of_the_one_above_it():
    document = parse("x.yaml", b"a: 1\nb:\n  - c: 2\n")
    assert document.line("b", 0, "missing", 4) == 3
    assert document.line("nowhere") == 1
    finding = document.finding("m", "n", "b", 0, "c")
    assert (finding.file, finding.line, finding.message, finding.mend) == ("x.yaml", 3, "m", "n")


@pytest.mark.parametrize(
    ("text", "line"),
    [(b"a: [1, 2\nb: 3\n", 2), (b"a: 1\n\tb: 2\n", 2), (b"a: 'x\n", 2), (b"a: !!python/object:os.system x\n", 1)],
)
def test_broken_yaml_says_where(text, line):
    assert finding_of(text).line == line


@pytest.mark.parametrize("text", [b"", b"# only a comment\n"])
def test_an_empty_file_is_an_error(text):
    assert "empty" in finding_of(text).message


def test_what_is_no_text_is_an_error():
    assert "UTF-8" in finding_of(b"a: \xff\xfe\x00").message


def test_two_documents_in_one_file_are_an_error():
    assert finding_of(b"a: 1\n---\nb: 2\n").line == 2


def test_a_key_that_stands_twice_is_an_error_with_its_line():
    finding = finding_of(b"a: 1\nb:\n  c: 1\n  c: 2\n")
    assert finding.line == 4
    assert "'c'" in finding.message


def test_a_key_that_is_no_text_is_an_error():
    assert "key" in finding_of(b"a: 1\n? [1, 2]\n: 3\n").message
    assert "key" in finding_of(b"1: a\n").message


def test_an_alias_is_read_where_it_is_used():
    assert parse("x.yaml", b"a: &x {b: 1}\nc: *x\n").content == {"a": {"b": 1}, "c": {"b": 1}}


def test_an_alias_of_itself_is_an_error():
    assert finding_of(b"a: &x\n  b: *x\n").line in (1, 2)


def read(data):
    """The document, or the first finding."""
    try:
        return parse("x.yaml", data)
    except KnowledgeError as error:
        return error.findings[0]


@given(st.binary(max_size=200))
def test_any_bytes_are_a_document_or_a_finding(data):
    found = read(data)
    assert found.line("a") >= 1 if isinstance(found, Document) else found.line >= 1


@given(st.text(max_size=200))
def test_any_text_is_a_document_or_a_finding(text):
    found = read(text.encode(errors="surrogatepass"))
    assert isinstance(found, Document) or found.mend


def test_a_document_without_lines_is_all_on_the_first():
    assert Document(path="x", content={}, lines={}).line("a") == 1


def test_the_folders_of_the_checkout_are_found():
    assert (root() / "profiles").is_dir()
    found = documents("profiles")
    assert [document.path for document in found] == sorted(document.path for document in found)
    assert all(document.path.startswith("profiles/") for document in found)


def test_a_folder_of_the_site_is_laid_over_ours(tmp_path):
    ours = documents("mappings")
    (tmp_path / "mappings/codes").mkdir(parents=True)
    (tmp_path / "mappings/panels.yaml").write_text("panels: [mine]\n")
    (tmp_path / "mappings/codes/site.json").write_text('{"a": 1}')
    (tmp_path / "mappings/codes/notes.md").write_text("not knowledge")
    laid = {document.path: document.content for document in documents("mappings", tmp_path)}
    assert laid["mappings/panels.yaml"] == {"panels": ["mine"]}
    assert laid["mappings/codes/site.json"] == {"a": 1}
    assert len(laid) == len(ours) + 1


def test_a_site_without_a_folder_of_this_kind_changes_nothing(tmp_path):
    assert documents("profiles", tmp_path) == documents("profiles")
