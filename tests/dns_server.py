"""A name server on the loopback, with the records that a test gives it."""

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

#: The texts of records by name and type: ``{("shop.example", "TXT"): ['"v=spf1 -all"']}``.
Zone = Mapping[tuple[str, str], list[str]]


@contextmanager
def name_server(zone: Zone) -> Iterator[str]:
    """HOST:PORT of a server that answers by UDP; a name without any record is not there."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=_serve, args=(server, zone), daemon=True)
        thread.start()
        try:
            yield f"127.0.0.1:{server.getsockname()[1]}"
        finally:
            _wake(server)
            thread.join(10)


def _wake(server: socket.socket) -> None:
    """An empty datagram ends the thread."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ending:
        ending.sendto(b"", server.getsockname())


def _serve(server: socket.socket, zone: Zone) -> None:
    with suppress(OSError):
        while True:
            asked, address = server.recvfrom(4_096)
            if not asked:
                return
            server.sendto(_answer(dns.message.from_wire(asked), zone).to_wire(), address)


def _answer(asked: dns.message.Message, zone: Zone) -> dns.message.Message:
    answer = dns.message.make_response(asked)
    answer.flags |= dns.flags.AA | dns.flags.RA
    (question,) = asked.question
    name = question.name.to_text(omit_final_dot=True).lower()
    texts = zone.get((name, dns.rdatatype.to_text(question.rdtype)), [])
    if texts:
        answer.answer.append(
            dns.rrset.from_text_list(question.name, 60, "IN", question.rdtype, texts)
        )
    elif not any(known == name for known, _ in zone):
        answer.set_rcode(dns.rcode.NXDOMAIN)
    return answer
