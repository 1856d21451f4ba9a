"""Who may stay in a crowd, whatever happens in whatever order."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from runtime.connections import Crowd

CONNECTIONS, OF_ONE, BODY_BYTES = 6, 3, 100


class Client:
    """A connection that notes that it was closed."""

    def __init__(self, network: str) -> None:
        self.network = network
        self.is_closed = False

    def make_room(self) -> None:
        self.is_closed = True

    def give_up_body(self) -> None:
        self.is_closed = True


STEPS = st.tuples(
    st.sampled_from(["enter", "leave", "asked", "body", "whole", "answered"]),
    st.integers(0, 9),
    st.integers(1, 60),
)


@given(st.lists(STEPS, max_size=60))
def test_limits_hold_in_any_order(steps: list[tuple[str, int, int]]) -> None:
    crowd = Crowd("test", CONNECTIONS, OF_ONE, BODY_BYTES)
    inside: list[Client] = []
    slow: Counter[Client] = Counter()
    whole: Counter[Client] = Counter()
    for what, number, count in steps:
        if what == "enter":
            client = Client(f"network {number % 4}")
            if not crowd.enter(client):
                inside.append(client)
        elif inside:
            client = inside[number % len(inside)]
            if what == "leave":
                crowd.leave(client)
                inside.remove(client)
                slow[client] = whole[client] = 0
            elif what == "asked":
                crowd.asked(client)
            elif what == "body":
                slow[client] += count
                crowd.body_came(client, count)
            elif what == "whole":
                crowd.body_is_whole(client)
                whole[client] += slow[client]
                slow[client] = 0
            else:
                crowd.answered(client)
                crowd.waits(client)
                slow[client] = whole[client] = 0
        for client in [each for each in inside if each.is_closed]:
            crowd.leave(client)
            inside.remove(client)
            slow[client] = whole[client] = 0
        assert len(crowd) == len(inside) <= CONNECTIONS
        assert all(held <= OF_ONE for held in Counter(each.network for each in inside).values())
        # Bodies that are whole are ours to answer; of those on their way no more is kept than fits.
        assert not +slow or slow.total() + whole.total() <= BODY_BYTES


def test_the_oldest_that_waits_makes_room_and_none_with_a_request_does() -> None:
    crowd = Crowd("test", 2, None, BODY_BYTES)
    busy, waiting, new, newer = (Client(name) for name in "abcd")
    assert [crowd.enter(busy), crowd.enter(waiting)] == ["", ""]
    crowd.asked(busy)
    assert crowd.enter(new) == ""
    assert (busy.is_closed, waiting.is_closed) == (False, True)
    crowd.asked(new)
    assert crowd.enter(newer) == "connections"
    crowd.answered(busy)
    crowd.waits(busy)
    assert crowd.enter(newer) == ""
    assert busy.is_closed


def test_of_too_many_bodies_the_one_on_its_way_longest_goes() -> None:
    crowd = Crowd("test", 9, None, BODY_BYTES)
    clients = [Client(name) for name in "abc"]
    for client in clients:
        crowd.enter(client)
    for client in clients[:2]:
        crowd.body_came(client, 40)
    crowd.body_came(clients[0], 10)
    crowd.body_came(clients[2], 40)
    assert [each.is_closed for each in clients] == [True, False, False]
    crowd.body_is_whole(clients[1])
    crowd.body_came(clients[2], 40)
    assert [each.is_closed for each in clients] == [True, False, True]
