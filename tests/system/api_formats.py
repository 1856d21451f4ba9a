"""Formats that Schemathesis can't make by itself: it loads this by ``SCHEMATHESIS_HOOKS``."""

import schemathesis
from hypothesis import strategies as st

#: The general generator of IRIs makes hosts that are longer than DNS allows (RFC 1035, 2.3.4).
schemathesis.openapi.format(
    "iri",
    st.builds(
        "https://{}.example/{}".format,
        st.text("abcdefghij", min_size=1, max_size=20),
        st.text("abcdefghij/茶", max_size=40),
    ),
)
schemathesis.openapi.format(
    "uri-template",
    st.builds(
        "https://{}.example/cart?note={{group_id}}&n={}".format,
        st.text("abcdefghij", min_size=1, max_size=20),
        st.text("abcdefghij", max_size=40),
    ),
)
