"""The lease mechanism, exhaustively: every order of steps of two workers, one crash, leases that run out and one decision of a person, on the real SQL functions."""

import pytest
from support import services
from support.task_model import Database, Model

CASES = {  # is_repeatable, tries at most, crashes, decisions
    "sent again": (True, 2, 1, 0),
    "never sent again": (False, 2, 1, 0),
    "sent again once somebody decides": (True, 1, 0, 1),
    "never sent again unless somebody decides": (False, 1, 0, 1),
}


@pytest.fixture(scope="module")
def connection(cluster):
    services.Database.create(cluster, "task_model")
    connection = cluster.connect("task_model")
    yield connection
    connection.close()
    cluster.admin('DROP DATABASE "task_model" WITH (FORCE)')


@pytest.mark.parametrize("case", CASES)
def test_every_order_keeps_the_rules(connection, case):
    repeatable, most_tries, crashes, decisions = CASES[case]
    database = Database(connection, repeatable, most_tries)
    model = Model(database, repeatable, crashes, decisions).run()
    print(f"{case}: {model.worlds} worlds, {model.steps} steps, {model.ends} ends, {database.calls} calls")
    assert model.violations == []
    assert model.worlds > 2000 and model.ends > 20


STEP = "UPDATE radscheduler.task_step SET becomes = '{}', due = '{}' WHERE state = '{}' AND event = '{}'"
MUTATIONS = {
    "a lost lease is taken as done": (True, STEP.format("done", "never", "sending", "lost"), "done, and nobody accepted it"),
    "what was begun is ready again": (False, STEP.format("ready", "now", "sending", "lost"), "sent again after"),
    "silence is taken for not sent": (False, STEP.format("ready", "later", "sending", "no_answer"), "sent again after"),
    "what waits is never due": (True, STEP.format("ready", "never", "sending", "deferred"), "never due"),
    "a lost lease is not taken back": (True, "DELETE FROM radscheduler.task_step WHERE event = 'lost'", "nothing leads out"),
    "an unknown one is not claimed": (True, "DELETE FROM radscheduler.task_step WHERE state = 'unknown' AND event = 'claimed'", "nothing leads out"),
}


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_the_model_finds_what_is_wrong(connection, mutation):
    repeatable, statement, found = MUTATIONS[mutation]
    model = Model(Database(connection, repeatable, 2, statement), repeatable, crashes=1, decisions=0).run()
    assert model.violations and found in model.violations[0], model.violations
