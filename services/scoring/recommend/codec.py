"""A model as bytes and back: the same model gives the same bytes."""

import zlib
from dataclasses import fields
from typing import Any

import msgspec
import numpy as np

from services.scoring.recommend.ease import Ease
from services.scoring.recommend.log import Catalogue
from services.scoring.recommend.model import AGAIN_BY, NEW_BY, Model
from services.scoring.recommend.network import Network
from services.scoring.recommend.recommender import Recommender
from services.scoring.recommend.shelf import Shelf
from services.scoring.recommend.together import Together

FORMAT = 1
LARGEST = 1 << 28
"""Bytes that a model may come to."""
PARTS: dict[str, type[Any]] = {
    "catalogue": Catalogue,
    "shelf": Shelf,
    "ease": Ease,
    "together": Together,
    "again": Network,
    "new": Network,
}


class BrokenModelError(ValueError):
    """The bytes are no model that this code can read."""


def dump(recommender: Recommender) -> bytes:
    """Everything of the model, packed; little-endian arrays of their own types."""
    model = recommender.model
    content = {
        "format": FORMAT,
        "today": model.today,
        "by": [model.again_by, model.new_by],
        "quality": dict(sorted(model.quality.items())),
        "parts": {name: _pack(getattr(model, name)) for name in PARTS},
    }
    return zlib.compress(msgspec.msgpack.encode(content), level=6)


def load(data: bytes) -> Recommender:
    """Raises BrokenModelError."""
    try:
        content = msgspec.msgpack.decode(zlib.decompressobj().decompress(data, LARGEST))
        if content["format"] != FORMAT:
            raise BrokenModelError(f"A model of format {content['format']} cannot be read.")
        again_by, new_by = content["by"]
        if again_by not in AGAIN_BY or new_by not in NEW_BY:
            raise BrokenModelError("The model ranks by something unknown.")
        parts = {name: _unpack(PARTS[name], content["parts"][name]) for name in PARTS}
        return Recommender(
            Model(
                today=content["today"],
                again_by=again_by,
                new_by=new_by,
                quality=content["quality"],
                **parts,
            )
        )
    except (zlib.error, msgspec.DecodeError, KeyError, TypeError, ValueError) as error:
        raise BrokenModelError("The bytes are no model of recommendations.") from error


def _pack(part: object) -> dict[str, Any] | None:
    if part is None:
        return None
    values = {field.name: getattr(part, field.name) for field in fields(part)}  # type: ignore[arg-type]
    return {name: _pack_array(value) for name, value in values.items()}


def _pack_array(value: Any) -> Any:
    """Arrays as a map, the only one there is; all else as it is."""
    if not isinstance(value, np.ndarray):
        return value
    data = np.ascontiguousarray(value).tobytes()
    return {"dtype": value.dtype.str, "shape": list(value.shape), "data": data}


def _unpack(shape: type[Any], content: dict[str, Any] | None) -> Any:
    if content is None:
        return None
    return shape(**{name: _unpack_array(value) for name, value in content.items()})


def _unpack_array(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return np.frombuffer(value["data"], dtype=value["dtype"]).reshape(value["shape"])
