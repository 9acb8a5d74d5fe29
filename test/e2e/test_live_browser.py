"""Live events in a browser: Chromium's EventSource, at the daemon with a ticket and behind a proxy that adds the credential."""

import json

import pytest
from support.browser import Follower, chromium
from support.live_world import make_events, metric, start, ticket, two_sites
from support.services import eventually


@pytest.fixture(scope="module")
def world(cluster):
    with two_sites(cluster, "live_browser") as daemon:
        yield daemon


def numbers(follower):
    return [json.loads(data)["data"]["n"] for _, data in follower.events()]


def test_a_page_of_a_listed_origin_follows_with_a_ticket(world):
    follower = Follower(world)
    daemon = start(world.database, RADSCHED_CORS_ORIGINS=follower.origin)
    try:
        follower.address = f"{daemon.base}/api/v1/stream?types=order.*&ticket={ticket(daemon, world.database.keys['home'])}"
        with chromium(follower.origin):
            eventually(lambda: "open" in follower.told, seconds=90, what="the browser following")
            make_events(world.database, 3, kind="order.received")
            make_events(world.database, 1, site="ANNEX", kind="order.received", first=99)
            make_events(world.database, 2, kind="order.received", first=4)
            eventually(lambda: len(follower.events()) == 5, what="the page being told")
            assert numbers(follower) == [1, 2, 3, 4, 5]
            assert all(place == f"{event['epoch']}:{event['cursor']}" for place, event in ((place, json.loads(data)) for place, data in follower.events()))
            # The ticket is used: after a loss the page is told that this is over, and has to get another one.
            daemon.kill()
            eventually(lambda: "lost" in follower.told, seconds=30, what="the loss")
            daemon.start()
            eventually(lambda: follower.told[-1] == "closed", seconds=60, what="the end")
    finally:
        daemon.stop()
        follower.stop()


def test_a_page_of_another_origin_gets_nothing(world):
    follower = Follower(world, address=f"{world.base}/api/v1/stream?ticket={ticket(world, world.database.keys['home'])}")
    try:
        with chromium(follower.origin):
            eventually(lambda: "closed" in follower.told, seconds=90, what="the refusal")
            assert follower.told == ["closed"] and metric(world, "radsched_live_connections") == 0
    finally:
        follower.stop()


def test_a_browser_resumes_by_itself_through_kill_9(world):
    daemon = start(world.database)
    follower = Follower(daemon, world.database.keys["home"], "/api/v1/stream?types=order.*")
    try:
        with chromium(follower.origin):
            eventually(lambda: "open" in follower.told, seconds=90, what="the browser following")
            for first in (1, 11, 21):
                make_events(world.database, 5, kind="order.received", first=first)
                eventually(lambda first=first: numbers(follower)[-1:] == [first + 4], what="the page being told")
                seen = follower.events()[-1][0]
                daemon.kill()
                make_events(world.database, 5, kind="order.received", first=first + 5)  # while nobody listens
                daemon.start()
                eventually(lambda first=first: numbers(follower)[-1:] == [first + 9], seconds=60, what="what came meanwhile")
                assert follower.resumed_from[-1] == seen
            assert numbers(follower) == list(range(1, 31))
            assert follower.resumed_from[0] is None and "closed" not in follower.told
    finally:
        daemon.stop()
        follower.stop()
