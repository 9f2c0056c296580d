"""One module a tab: `build(services) -> Handles` and `routes(services) -> list[Route]`."""
