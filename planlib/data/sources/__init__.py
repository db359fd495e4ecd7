"""Every kind of payload and sheet that a load knows."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources
from types import MappingProxyType

from planlib.data.sources import mini, official, sheets, shop, wecom
from planlib.data.sources.base import Field, Out, Source

__all__ = ["SOURCES", "Field", "Out", "Source", "yaml_of"]

SOURCES: Mapping[str, Source] = MappingProxyType(
    {s.name: s for room in (wecom, official, mini, shop, sheets) for s in room.SOURCES}
)


@cache
def yaml_of(name: str) -> dict:
    """Return `headers.yaml` or `codes.yaml`."""
    import yaml

    text = (resources.files("planlib") / "data" / f"{name}.yaml").read_text(encoding="utf-8")
    return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
