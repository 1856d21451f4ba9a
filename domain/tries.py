"""A movement of money that fails is tried again for three days, then a person is asked."""

from datetime import timedelta

TRIED_FOR = timedelta(days=3)
#: After the first, the second, … try in vain; the last for all further ones.
PAUSES = tuple(timedelta(seconds=each) for each in (5, 15, 60, 300, 900, 3600, 7200))
