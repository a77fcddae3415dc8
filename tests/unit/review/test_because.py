"""A line's reasons in a few words."""

from careplan_exchange.model.grounds import Reason, Used
from careplan_exchange.model.snapshot import Evidence
from careplan_exchange.review.because import because

SOURCE = (Evidence(reference="Observation/1"),)


def reason(text, *variables, result="true", evidence=SOURCE):
    used = tuple(Used(variable=name, value="x", evidence=evidence) for name in variables)
    return Reason(text=text, rule="%x", result=result, used=used)


AGE = reason("Age 49 years is at or above 18 years.", "age")
SEX = reason("Recorded sex female is female.", "sex")
GENE = reason("BRCA1 is present.", "brca1", "age")
LIVER = reason("Cirrhosis is present.", "liver_cirrhosis")
ABSENT = reason("Aspirin is not recorded.", "aspirin", evidence=())
STOP = reason("To be stopped after bleeding.", "bleeding", result="false")
OPEN = reason("Pregnancy is not known.", "pregnancy", result="unknown")


def test_what_the_record_holds_comes_before_age_sex_and_what_is_not_recorded():
    assert because((AGE, SEX, ABSENT, OPEN, STOP, GENE)) == "BRCA1 is present."


def test_what_is_recorded_as_absent_is_told_only_where_there_is_nothing_else():
    used = (Used(variable="pregnancy", value="absent (2026-11-16)", evidence=SOURCE),)
    not_pregnant = Reason(text="Pregnancy is absent.", rule="%x", result="true", used=used)
    assert because((not_pregnant, GENE)) == "BRCA1 is present."
    assert because((AGE, not_pregnant)) == "Pregnancy is absent."


def test_at_most_so_many_reasons_are_told_in_their_order():
    more = reason("Lp(a) is high.", "lipoprotein_a")
    assert because((GENE, LIVER, more)) == "BRCA1 is present. Cirrhosis is present."
    assert because((GENE, LIVER, more), most=1) == "BRCA1 is present."


def test_what_was_told_already_is_left_out():
    both = reason("BRCA1 is present; cirrhosis is present.", "brca1", "liver_cirrhosis")
    assert because((both, LIVER, GENE)) == both.text
    assert because((GENE, both)) == "BRCA1 is present. Cirrhosis is present."


def test_where_only_age_and_sex_speak_the_nearest_that_holds_is_told():
    assert because((AGE, SEX, STOP)) == SEX.text


def test_where_nothing_holds_the_first_is_told_and_nothing_of_nothing():
    assert because((OPEN, STOP)) == OPEN.text
    assert because(()) == ""
