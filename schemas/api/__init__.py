"""Bodies of the HTTP API, one module per area: for the storefront and for its clients."""
