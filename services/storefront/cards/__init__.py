"""Cards: pictures that other sites show beside a link to a group or an auction."""
