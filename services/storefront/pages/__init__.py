"""The pages: server-rendered, whole without a script."""
