"""`dataclasses.replace` for states, which are copied several times for each event that is folded."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    replace = dataclasses.replace
else:

    def replace(instance: Any, /, **changes: Any) -> Any:
        """Return a copy with other values, without calling `__init__`, which assigns the fields of a frozen class one by one.

        The class must have no slots and no `__post_init__`. The type checker refuses names that are no fields.
        """
        copy = object.__new__(type(instance))
        vars(copy).update(vars(instance), **changes)
        return copy
