"""Compiled knowledge is kept by its content, and only where nobody else can write."""

import pytest

from careplan_exchange.knowledge_cache import cached


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "protocols").mkdir()
    (tmp_path / "protocols" / "a.yaml").write_text("a: 1")
    return tmp_path


class Maker:
    def __init__(self):
        self.calls = 0

    def __call__(self, _digest):
        self.calls += 1
        return {"made": self.calls}


def kept(place):
    return sorted((place / "cache" / "careplan-exchange").glob("*.pickle"))


def test_the_second_time_nothing_is_made(place):
    make = Maker()
    first = cached([place / "protocols"], dict, make)
    assert cached([place / "protocols"], dict, make) == first
    assert make.calls == 1
    assert [path.stat().st_mode & 0o777 for path in kept(place)] == [0o600]


@pytest.mark.parametrize("change", ["content", "name", "another file", "a file less"])
def test_any_change_of_the_files_makes_it_anew(place, change):
    make = Maker()
    file = place / "protocols" / "a.yaml"
    cached([place / "protocols"], dict, make)
    match change:
        case "content":
            file.write_text("a: 2")
        case "name":
            file.rename(file.with_name("b.yaml"))
        case "another file":
            file.with_name("b.yaml").write_text("")
        case "a file less":
            file.unlink()
    assert cached([place / "protocols"], dict, make) == {"made": 2}


@pytest.mark.parametrize("spoiled", [b"", b"no pickle", b"\x80\x05N."])
def test_a_spoiled_file_is_made_anew(place, spoiled):
    make = Maker()
    cached([place / "protocols"], dict, make)
    kept(place)[0].write_bytes(spoiled)
    assert cached([place / "protocols"], dict, make) == {"made": 2}


@pytest.mark.parametrize("whose", ["file", "folder"])
def test_what_somebody_else_could_have_written_is_not_read(place, whose):
    make = Maker()
    cached([place / "protocols"], dict, make)
    (kept(place)[0] if whose == "file" else kept(place)[0].parent).chmod(0o777)
    assert cached([place / "protocols"], dict, make) == {"made": 2}


def test_a_place_that_cannot_be_written_costs_nothing_but_time(place, monkeypatch):
    (place / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(place / "file"))
    make = Maker()
    assert cached([place / "protocols"], dict, make) == {"made": 1}
    assert cached([place / "protocols"], dict, make) == {"made": 2}


def test_an_error_is_raised_and_not_kept(place):
    def fail(_digest):
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        cached([place / "protocols"], dict, fail)
    assert cached([place / "protocols"], dict, Maker()) == {"made": 1}


def test_only_the_newest_few_are_kept(place):
    for number in range(7):
        (place / "protocols" / "a.yaml").write_text(f"a: {number}")
        cached([place / "protocols"], dict, Maker())
    assert len(kept(place)) == 4


def test_the_products_knowledge_is_the_same_from_the_cache(monkeypatch, tmp_path):
    from careplan_exchange import config, installed

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    first = installed.load_knowledge(config.Settings())
    assert list((tmp_path / "careplan-exchange").glob("*.pickle"))
    assert installed.load_knowledge(config.Settings()) == first
