"""Requests to servers of the tests. They speak plain HTTP: reading the machine's certificates for
each request would take forty times as long as the request."""

from functools import partial

import httpx

request = partial(httpx.request, verify=False, timeout=30)
get = partial(request, "GET")
post = partial(request, "POST")
