"""How long each step of a dialogue with a mail server may take, in seconds.

A server may look through a letter before it answers the last dot. If a client gives up before
the server's answer, it sends a delivered letter again (RFC 1047; swiftmailer#828, deltachat
core#5115). So the steps of RFC 5321, 4.5.3.2 have the limits of that section; the others have
the limits of Postfix.
"""

from dataclasses import dataclass, fields, replace

#: The least time-out, for any factor.
CONNECT_SECONDS_MIN = 2.0
BEFORE_CONTENT_SECONDS_MIN = 60.0


@dataclass(frozen=True, slots=True)
class Timeouts:
    """``connect`` is for TCP and, if TLS comes first, its handshake; all others for one reply.

    ``content`` is for the letter on its way, ``end`` for the reply to its last dot.
    ``before_content`` is for all steps before it, with the wait for a free connection.
    """

    connect: float = 60.0
    greeting: float = 300.0
    ehlo: float = 300.0
    starttls: float = 300.0
    login: float = 300.0
    mail: float = 300.0
    rcpt: float = 300.0
    data: float = 120.0
    content: float = 180.0
    end: float = 600.0
    rset: float = 20.0
    quit: float = 5.0
    before_content: float = 900.0

    @property
    def after_begin(self) -> float:
        """From the first byte of the content to the last moment of its reply."""
        return self.content + self.end

    def times(self, factor: float) -> "Timeouts":
        """All time-outs times a factor; QUIT, whose reply is not needed, never gets longer."""
        scaled = {each.name: getattr(self, each.name) * factor for each in fields(self)}
        scaled["connect"] = max(scaled["connect"], CONNECT_SECONDS_MIN)
        scaled["before_content"] = max(scaled["before_content"], BEFORE_CONTENT_SECONDS_MIN)
        scaled["quit"] = min(scaled["quit"], self.quit)
        return replace(self, **scaled)
