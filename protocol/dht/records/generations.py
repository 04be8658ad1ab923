"""A store that forgets: everything old, and the oldest when it is full, without looking for it.

Two generations: what is put goes into the younger one. When that is full or two thirds of the
greatest age old, the older generation is dropped and the younger takes its place. So an item lives
for two to four thirds of that age.

Facts: specs/13-dht.md section 8; npm ``xache``.
"""

from __future__ import annotations

from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Generations(Generic[K, V]):
    """At most ``limit`` items in each generation, for about ``age_seconds``."""

    def __init__(self, limit: int, age_seconds: float, now: float) -> None:
        self._limit = limit
        self._turn_seconds = age_seconds * 2 / 3
        self._younger: dict[K, V] = {}
        self._older: dict[K, V] = {}
        self._turn_at = now + self._turn_seconds

    def __len__(self) -> int:
        return len(self._younger) + len(self._older)

    def get(self, key: K, now: float, *, revive: bool = True) -> V | None:
        """The item; unless told otherwise reading makes it young again."""
        self._turn(now)
        value = self._younger.get(key)
        if value is None:
            value = self._older.get(key)
            if value is not None and revive:
                self.put(key, value, now)
        return value

    def put(self, key: K, value: V, now: float) -> None:
        """Keep an item, in place of an earlier one."""
        self._turn(now)
        if len(self._younger) >= self._limit and key not in self._younger:
            self._older, self._younger = self._younger, {}
            self._turn_at = now + self._turn_seconds
        self._younger[key] = value
        self._older.pop(key, None)

    def remove(self, key: K) -> None:
        """Forget an item, if it is there."""
        self._younger.pop(key, None)
        self._older.pop(key, None)

    def _turn(self, now: float) -> None:
        for _ in range(2):
            if now < self._turn_at:
                return
            self._older, self._younger = self._younger, {}
            self._turn_at += self._turn_seconds
        if now >= self._turn_at:
            self._turn_at = now + self._turn_seconds
