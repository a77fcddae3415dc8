"""From an unknown local code to a fact, as an informaticist would go: map, coverage, fill the skeleton, map again."""

import json
from pathlib import Path

from careplan_exchange.sandbox import serve_in_background
from tests.support.patients import synthetic
from tests.support.product import SYNTHETIC_TODAY, Server, careplan


def test_an_unknown_code_becomes_a_fact_without_python(tmp_path: Path) -> None:
    with serve_in_background() as hospital:
        bundle = synthetic("07-year-of-birth-only-and-odd-values")
        (local,) = (one["resource"] for one in bundle["entry"] if "valueString" in one["resource"])
        del local["valueString"]
        local["valueQuantity"] = {"value": 7, "unit": "%"}
        patient = Server(hospital.url).load(bundle)
        of_patient = ("-e", hospital.url, "-p", patient, "--today", SYNTHETIC_TODAY)

        def sources() -> set[str]:
            done = careplan(tmp_path, "map", *of_patient, "--json")
            assert done.returncode == 0, done.stderr
            return {one["evidence"]["reference"] for one in json.loads(done.stdout)["facts"]}

        before = sources()
        site = tmp_path / "site/mappings"
        site.mkdir(parents=True)
        done = careplan(tmp_path, "coverage", *of_patient, "--skeleton", "site/mappings/site.yaml")
        assert done.returncode == 0, done.stderr
        assert "GLYC-7" in done.stdout
        skeleton = site / "site.yaml"
        blank = '{equivalence: unmatched, comment: ""}'
        assert skeleton.read_text().count(blank) == 1
        skeleton.write_text(skeleton.read_text().replace(blank, "{code: hba1c, equivalence: equivalent}"))
        (tmp_path / "careplan.toml").write_text('[knowledge]\noverlay = "site"\n')
        assert careplan(tmp_path, "knowledge", "check").returncode == 0
        assert len(sources() - before) == 1
