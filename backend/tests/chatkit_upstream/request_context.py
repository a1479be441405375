"""What upstream's tests give every call; their ``tests/_types.py``, which the package leaves out. Its user is our visitor."""

from dataclasses import dataclass


@dataclass(frozen=True)
class RequestContext:
    user_id: str

    @property
    def visitor(self) -> str:
        return self.user_id
