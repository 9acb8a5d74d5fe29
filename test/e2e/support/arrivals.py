"""Orders in which the messages of a history can arrive, what they end in, and the smallest one that ends otherwise than it should.

Each order runs in a transaction that is rolled back, so thousands of them need one database and little time.
"""

import random
from dataclasses import replace

import psycopg2

from support.boards import board, differences
from support.histories import is_whole

SINGLY = "SELECT i.code FROM unnest(%s::bytea[]) WITH ORDINALITY m(bytes, place), LATERAL radscheduler.ingest(m.bytes) i ORDER BY m.place"
TOGETHER = "SELECT i.code FROM radscheduler.ingest_batch(%s::bytea[]) i"


def in_order(messages):
    """The history behind some arrivals: each message once, by MSH-7."""
    return sorted({message.key: replace(message, copy=0) for message in messages}.values(), key=lambda message: message.key)


def anyhow(chance, history, _refused):
    """Any order, some messages twice: byte for byte, or the same content under another control id."""
    order = [*history]
    for message in history:
        if chance.random() < 0.3:
            order.append(message)
        if chance.random() < 0.2:
            order.append(replace(message, copy=1))
    chance.shuffle(order)
    return order


def interleaved(chance, history, refused):
    """The appointments' messages mixed in any way that keeps each appointment's own order; some come again later, byte for byte. What was refused
    does not: after AE the same bytes are taken as new, by design."""
    order, left = [], list(history)
    while left:
        firsts = [message for place, message in enumerate(left) if all(other.appointment != message.appointment for other in left[:place])]
        message = chance.choice(firsts)
        left.remove(message)
        order.append(message)
        if chance.random() < 0.3 and (repeatable := [one for one in order if one.key not in refused]):
            order.append(chance.choice(repeatable))
    return order


def batches(chance, number):
    """Sizes of the batches that some messages come in; None for one by one."""
    if chance.random() < 0.5:
        return None
    sizes = []
    while sum(sizes) < number:
        sizes.append(min(number - sum(sizes), chance.choice((1, 2, 3, 5, 16))))
    return sizes


class Arrivals:
    """Plays arrivals on one database."""

    def __init__(self, connection, all_generations=False):
        connection.autocommit = False
        self._connection = connection
        self._all = all_generations

    def play(self, messages, sizes=None):
        """(the board, the keys of the messages that were refused)."""
        with self._connection.cursor() as cursor:
            try:
                codes, done = [], 0
                for size in sizes or [len(messages)]:
                    chunk = [psycopg2.Binary(message.bytes()) for message in messages[done:done + size]]
                    cursor.execute(TOGETHER if sizes else SINGLY, (chunk,))
                    codes += [code for code, in cursor.fetchall()]
                    done += size
                return board(cursor, self._all), {message.key for message, code in zip(messages, codes, strict=True) if code != "AA"}
            finally:
                self._connection.rollback()

    def wrong(self, messages, sizes=None, may_refuse=False):
        """In what the end of these arrivals differs from the end of the same messages in order; [] when it does not."""
        expected, refused = self.play(in_order(messages))
        found, refused_too = self.play(messages, sizes)
        told = differences(expected, found)
        if not may_refuse and (refused or refused_too):
            told.append(f"refused: {sorted(refused | refused_too)}")
        return told

    def smallest(self, messages, sizes, may_refuse=False):
        """The same failure with as few messages as possible, one by one if that will do: (messages, sizes)."""
        def fails(some, together):
            return some and (may_refuse or is_whole(in_order(some))) and self.wrong(some, [len(some)] if together else None, may_refuse)

        if not fails(messages, sizes is not None):
            if sizes is None or not fails(messages, False):
                return messages, sizes
            sizes = None
        sizes = sizes if sizes and not fails(messages, False) else None
        shrunk = True
        while shrunk:
            shrunk = False
            without = [[one for one in messages if one.key != key] for key in {one.key for one in messages}]
            without += [messages[:place] + messages[place + 1:] for place in range(len(messages)) if any(one.key == messages[place].key for one in messages[:place])]
            for some in without:
                if fails(some, sizes is not None):
                    messages, shrunk = some, True
                    break
        return messages, [len(messages)] if sizes else None


def explore(arrivals, write, mix, seeds, orders, may_refuse=False):
    """Plays some orders of the history of each seed; raises with the smallest one that fails. Gives how many were played, and what was met on the way."""
    played, met = 0, set()
    for seed in seeds:
        chance = random.Random(seed)
        history = write(chance)
        expected, refused = arrivals.play(history)
        met |= {line.split()[1] for line in expected["conflicts"] or ()} | {appointment["status"] for appointment in (expected["appointments"] or {}).values()}
        assert may_refuse or not refused, f"seed {seed}: a whole message was refused: {refused}"
        for _ in range(orders):
            order = mix(chance, history, refused)
            sizes = batches(chance, len(order))
            found, refused_too = arrivals.play(order, sizes)
            played += 1
            told = differences(expected, found)
            if told or not may_refuse and refused_too:
                raise AssertionError(story(arrivals, seed, order, sizes, may_refuse, told))
    return played, met


def story(arrivals, seed, order, sizes, may_refuse, told):
    """The smallest failing arrivals of a seed, readable."""
    small, together = arrivals.smallest(order, sizes, may_refuse)
    return "\n".join([
        f"seed {seed}: in this order of arrival{', as one batch' if together else ', one by one' if sizes is None else ''}",
        *("    " + message.text().replace("\r", "  ") for message in small),
        "the end differs from that in the order of MSH-7:",
        *("    " + line for line in arrivals.wrong(small, together, may_refuse) or told),
    ])
