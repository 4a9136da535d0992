"""Progress that remembers what it was told."""


class Listener:
    def __init__(self) -> None:
        self.said: list[str] = []

    def update(self, step: int, steps: int, values: dict[str, float]) -> None:
        pass

    def say(self, message: str) -> None:
        self.said.append(message)
